#include "openai/stream_usage.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "http/sse.h"
#include "openai/answer_tail.h"

namespace turnpike::openai {
namespace {

constexpr auto tokens = [](std::int64_t n) { return std::optional(TokenCount(n)); };

// What a whole stream said, event by event.
struct Seen {
  StreamUsage usage;
  int first_content = -1;  // index of the event
  std::vector<int> usage_only;
  int events = 0;
};

Seen watch(std::string_view stream, Dialect dialect = Dialect::openai) {
  Seen seen{.usage = StreamUsage(dialect), .usage_only = {}};
  http::SseScanner scanner;
  while (const auto event = scanner.next(stream)) {
    if (!event->has_data) continue;
    const EventFacts facts = seen.usage.feed(event->data);
    if (facts.content && seen.first_content < 0) seen.first_content = seen.events;
    if (facts.usage_only) seen.usage_only.push_back(seen.events);
    ++seen.events;
  }
  return seen;
}

// As vLLM 0.32 sends it.
constexpr std::string_view kVllm =
    R"(data: {"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null,"prompt_text":null}

data: {"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[{"index":0,"delta":{"content":"V"},"logprobs":null,"finish_reason":null,"token_ids":null}]}

data: {"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[{"index":0,"delta":{"content":":"},"logprobs":null,"finish_reason":"length","stop_reason":null,"token_ids":null}]}

data: {"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[],"usage":{"prompt_tokens":904,"total_tokens":910,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":896,"created_cache_tokens":0}},"system_fingerprint":"vllm-0.32.0-e60ea41b"}

data: [DONE]

)";

// As llama-server sends it: the role chunk has content null, the finish chunk is its own.
constexpr std::string_view kLlama =
    R"(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795247291,"id":"chatcmpl-8c","model":"tiny","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" no"}}],"created":1795247291,"id":"chatcmpl-8c","model":"tiny","object":"chat.completion.chunk"}

data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"created":1795247291,"id":"chatcmpl-8c","model":"tiny","object":"chat.completion.chunk"}

data: {"choices":[],"created":1795247291,"id":"chatcmpl-8c","model":"tiny","object":"chat.completion.chunk","usage":{"completion_tokens":4,"prompt_tokens":922,"total_tokens":926,"prompt_tokens_details":{"cached_tokens":921}},"timings":{"cache_n":921,"prompt_n":1,"prompt_ms":43.768}}

data: [DONE]

)";

// As llm-d-inference-sim sends it: usage null in every chunk.
constexpr std::string_view kLlmd =
    R"(data: {"id":"chatcmpl-sample-1","model":"tiny","object":"chat.completion.chunk","created":1795246368,"usage":null,"choices":[{"index":0,"finish_reason":null,"delta":{"role":"assistant"}}]}

data: {"id":"chatcmpl-sample-1","model":"tiny","object":"chat.completion.chunk","created":1795246368,"usage":null,"choices":[{"index":0,"finish_reason":null,"delta":{"content":"Today "}}]}

data: {"id":"chatcmpl-sample-1","model":"tiny","object":"chat.completion.chunk","created":1795246368,"usage":null,"choices":[{"index":0,"finish_reason":"stop","delta":{}}]}

data: {"id":"chatcmpl-sample-1","model":"tiny","object":"chat.completion.chunk","created":1795246368,"usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":0}},"choices":[]}

data: [DONE]

)";

// As transformers serve sends it: usage in the finish chunk, no cached tokens, no [DONE].
constexpr std::string_view kTransformers =
    R"(data: {"id":"8c23","choices":[{"delta":{"role":"assistant"},"index":0}],"created":1795246512,"model":"tiny@main","object":"chat.completion.chunk","system_fingerprint":""}

data: {"id":"8c23","choices":[{"delta":{"content":"C"},"index":0}],"created":1795246512,"model":"tiny@main","object":"chat.completion.chunk","system_fingerprint":""}

data: {"id":"8c23","choices":[{"delta":{},"index":0,"finish_reason":"length"}],"created":1795246512,"model":"tiny@main","object":"chat.completion.chunk","system_fingerprint":"","usage":{"completion_tokens":6,"prompt_tokens":27,"total_tokens":33}}

)";

TEST(StreamUsage, ReadsVllm) {
  const Seen seen = watch(kVllm);
  EXPECT_EQ(seen.first_content, 1) << "the role chunk has empty content";
  EXPECT_EQ(seen.usage_only, std::vector<int>{3});
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(904), tokens(896), tokens(6)}));
  EXPECT_TRUE(seen.usage.saw_done());
  EXPECT_TRUE(seen.usage.saw_finish());
  EXPECT_FALSE(seen.usage.ended_in_tool_call());
}

TEST(StreamUsage, ReadsLlamaServer) {
  const Seen seen = watch(kLlama);
  EXPECT_EQ(seen.first_content, 1) << "the role chunk has content null";
  EXPECT_EQ(seen.usage_only, std::vector<int>{3});
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(922), tokens(921), tokens(4)}));
}

TEST(StreamUsage, UsageNullInEveryChunkIsNoUsage) {
  const Seen seen = watch(kLlmd);
  EXPECT_EQ(seen.first_content, 1);
  EXPECT_EQ(seen.usage_only, std::vector<int>{3});
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(11), tokens(0), tokens(2)}));
}

TEST(StreamUsage, AnEngineWithoutDoneHasStillFinished) {
  const Seen seen = watch(kTransformers);
  EXPECT_EQ(seen.first_content, 1);
  EXPECT_TRUE(seen.usage_only.empty())
      << "usage rides in the finish chunk, which the client must see";
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(27), std::nullopt, tokens(6)}));
  EXPECT_FALSE(seen.usage.saw_done());
  EXPECT_TRUE(seen.usage.saw_finish());
}

TEST(StreamUsage, ContinuousUsageTellsTheLatest) {
  StreamUsage usage;
  usage.feed(
      R"({"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}})");
  EXPECT_EQ(usage.usage().output_tokens, tokens(1));
  const EventFacts facts = usage.feed(
      R"({"choices":[{"delta":{"content":"b"}}],"usage":{"prompt_tokens":9,"completion_tokens":2}})");
  EXPECT_FALSE(facts.usage_only);
  EXPECT_EQ(usage.usage(), (core::Usage{tokens(9), std::nullopt, tokens(2)}));
}

TEST(StreamUsage, FirstContentIsAnythingAReaderSees) {
  const std::vector<std::string> content = {
      R"({"choices":[{"delta":{"content":"x"}}]})",
      R"({"choices":[{"delta":{"role":"assistant","content":"x"}}]})",
      R"({"choices":[{"delta":{"content":null,"reasoning_content":"x"}}]})",
      R"({"choices":[{"delta":{"reasoning":"x"}}]})",
      R"({"choices":[{"delta":{"refusal":"x"}}]})",
      R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})",
      R"({"choices":[{"text":"x"}]})",
      R"({"choices":[{"delta":{}},{"delta":{"content":"x"}}]})",
  };
  for (const std::string& payload : content) {
    StreamUsage usage;
    EXPECT_TRUE(usage.feed(payload).content) << payload;
    EXPECT_FALSE(usage.feed(payload).content) << "told once";
    EXPECT_TRUE(usage.saw_content());
  }
  const std::vector<std::string> none = {
      R"({"choices":[{"delta":{"role":"assistant","content":""}}]})",
      R"({"choices":[{"delta":{"role":"assistant","content":null}}]})",
      R"({"choices":[{"delta":{"tool_calls":[]}}]})",
      R"({"choices":[{"delta":{}}]})",
      R"({"choices":[{"text":""}]})",
      R"({"choices":[]})",
      R"({"choices":null})",
      "{}",
      "",
      "not json",
      "[DONE]",
      R"({"choices":[{"delta":)",
  };
  for (const std::string& payload : none) {
    StreamUsage usage;
    EXPECT_FALSE(usage.feed(payload).content) << payload;
  }
}

TEST(StreamUsage, TextThatTalksOfUsageIsNotUsage) {
  StreamUsage usage;
  usage.feed(R"({"choices":[{"delta":{"content":"x"}}]})");
  usage.feed(
      R"({"choices":[{"delta":{"content":"{\"usage\":{\"prompt_tokens\":5},\"finish_reason\":\"tool_calls\"}"}}]})");
  EXPECT_EQ(usage.usage(), core::Usage{});
  EXPECT_FALSE(usage.saw_finish());
}

TEST(StreamUsage, ToolCallsEndATurn) {
  StreamUsage usage;
  usage.feed(R"({"choices": [{"delta": {}, "finish_reason" : "tool_calls"}]})");
  EXPECT_TRUE(usage.ended_in_tool_call());
}

TEST(StreamUsage, NegativeAndWrongCountsAreIgnored) {
  StreamUsage usage;
  usage.feed(
      R"({"choices":[],"usage":{"prompt_tokens":-1,"completion_tokens":"x","prompt_tokens_details":null}})");
  EXPECT_EQ(usage.usage(), core::Usage{});
}

TEST(StreamUsage, AnErrorEventIsSeen) {
  StreamUsage usage;
  EXPECT_TRUE(usage.feed(R"({"error":{"message":"no","code":500}})").error);
  EXPECT_FALSE(usage.feed(R"({"error":null,"choices":[]})").error);
}

TEST(StreamUsage, ReadsAnthropic) {
  const Seen seen = watch(
      "event: message_start\ndata: "
      "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":10,"
      "\"cache_read_input_tokens\":90,\"output_tokens\":1}}}\n\n"
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n"
      "event: content_block_delta\ndata: "
      "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
      "event: message_delta\ndata: "
      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_"
      "tokens\":7}}\n\n"
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
      Dialect::anthropic);
  EXPECT_EQ(seen.first_content, 2);
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(100), tokens(90), tokens(7)}));
  EXPECT_TRUE(seen.usage.ended_in_tool_call());
  EXPECT_TRUE(seen.usage.saw_done());
}

// As vLLM 0.32 answers without a stream.
constexpr std::string_view kAnswer =
    R"({"id":"chatcmpl-sample-2","object":"chat.completion","created":1795247045,"model":"tiny","choices":[{"index":0,"message":{"role":"assistant","content":"say \"usage\":{} {","refusal":null},"logprobs":null,"finish_reason":"length","stop_reason":null}],"service_tier":null,"usage":{"prompt_tokens":904,"total_tokens":910,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":896,"created_cache_tokens":0,"multimodal_tokens":null},"completion_tokens_details":null},"prompt_logprobs":null,"kv_transfer_params":null})";

TEST(AnswerTail, ReadsUsageHoweverItIsSplit) {
  for (std::size_t split = 0; split <= kAnswer.size(); ++split) {
    AnswerTail tail;
    tail.feed(kAnswer.substr(0, split));
    tail.feed(kAnswer.substr(split));
    ASSERT_EQ(tail.usage(), (core::Usage{tokens(904), tokens(896), tokens(6)})) << split;
    ASSERT_FALSE(tail.ended_in_tool_call());
  }
}

TEST(AnswerTail, ReadsTheEndOfALargeAnswerAndKeepsNoMore) {
  for (const std::size_t read : {std::size_t{1000}, std::size_t{100'000}}) {
    AnswerTail tail;
    std::string answer =
        R"({"choices":[{"message":{"content":")" + std::string(300'000, 'x') + "\"}}],";
    answer += R"("usage": {"prompt_tokens": 5, "completion_tokens": 70000}})";
    for (std::size_t at = 0; at < answer.size(); at += read)
      tail.feed(std::string_view(answer).substr(at, read));
    EXPECT_EQ(tail.usage(), (core::Usage{tokens(5), std::nullopt, tokens(70'000)}));
  }
}

TEST(AnswerTail, IsSilentAboutWhatItDoesNotUnderstand) {
  for (const std::string_view answer :
       {std::string_view(""), std::string_view("{\"usage\":null}"),
        std::string_view("{\"usage\":{\"prompt_tokens\":1"), std::string_view("{\"usage\""),
        std::string_view("\"usage\":{\"a\":\"\\"), std::string_view("<html>")}) {
    AnswerTail tail;
    tail.feed(answer);
    EXPECT_EQ(tail.usage(), core::Usage{}) << answer;
  }
}

TEST(AnswerTail, SeesToolCalls) {
  AnswerTail tail;
  tail.feed(R"({"choices":[{"message":{},"finish_reason": "tool_calls"}]})");
  EXPECT_TRUE(tail.ended_in_tool_call());
  AnswerTail anthropic;
  anthropic.feed(R"({"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":4}})");
  EXPECT_TRUE(anthropic.ended_in_tool_call());
  EXPECT_EQ(anthropic.usage(), (core::Usage{tokens(3), std::nullopt, tokens(4)}));
}

// In the shapes of vLLM's and OpenAI's Responses.
constexpr std::string_view kResponses =
    R"(event: response.created
data: {"response":{"id":"resp_1","status":"in_progress","output":[],"usage":null,"error":null},"sequence_number":0,"type":"response.created"}

event: response.output_item.added
data: {"item":{"id":"msg_1","content":[],"type":"message"},"output_index":0,"sequence_number":1,"type":"response.output_item.added"}

event: response.output_text.delta
data: {"content_index":0,"delta":"the \"usage\": {\"input_tokens\": 7}.delta","item_id":"msg_1","sequence_number":2,"type":"response.output_text.delta"}

event: response.output_text.delta
data: {"content_index":0,"delta":"more","item_id":"msg_1","sequence_number":3,"type":"response.output_text.delta"}

event: response.completed
data: {"response":{"id":"resp_1","status":"completed","output":[{"type":"message","content":[]},{"type":"function_call","name":"f","arguments":"{}"}],"usage":{"input_tokens":904,"input_tokens_details":{"cached_tokens":896},"output_tokens":6,"total_tokens":910}},"sequence_number":4,"type":"response.completed"}

)";

TEST(StreamUsage, AResponsesStreamIsUnderstood) {
  const Seen seen = watch(kResponses, Dialect::responses);
  EXPECT_EQ(seen.first_content, 2);
  EXPECT_TRUE(seen.usage_only.empty());
  EXPECT_EQ(seen.usage.usage(), (core::Usage{tokens(904), tokens(896), tokens(6)}));
  EXPECT_TRUE(seen.usage.saw_done());
  EXPECT_TRUE(seen.usage.ended_in_tool_call());
}

TEST(StreamUsage, AResponsesStreamMayFail) {
  StreamUsage usage(Dialect::responses);
  EXPECT_TRUE(usage.feed(R"({"type":"error","code":"x","message":"y","param":null})").error);
  EXPECT_TRUE(usage.feed(R"({"type":"response.failed","response":{"error":{"code":"x"}}})").error);
  EXPECT_FALSE(usage.saw_done());
  EXPECT_TRUE(
      usage.feed(R"({"type":"response.incomplete","response":{"usage":{"input_tokens":3}}})").done);
  EXPECT_EQ(usage.usage().prompt_tokens, tokens(3));
}

// Written from the engines' documentation.
TEST(StreamUsage, TheEnginesOwnStreamsAreUnderstood) {
  StreamUsage sglang(Dialect::native);
  EXPECT_FALSE(
      sglang.feed(R"({"text":"","meta_info":{"prompt_tokens":9,"completion_tokens":0}})").content);
  EXPECT_TRUE(
      sglang
          .feed(
              R"({"text":"a","meta_info":{"prompt_tokens":9,"completion_tokens":1,"cached_tokens":8}})")
          .content);
  EXPECT_FALSE(
      sglang
          .feed(
              R"({"text":"ab","meta_info":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":8}})")
          .content);
  EXPECT_TRUE(sglang.feed("[DONE]").done);
  EXPECT_EQ(sglang.usage(), (core::Usage{tokens(9), tokens(8), tokens(2)}));

  StreamUsage tgi(Dialect::native);
  EXPECT_TRUE(
      tgi.feed(R"({"token":{"id":1,"text":"a"},"generated_text":null,"details":null})").content);
  tgi.feed(
      R"({"token":{"id":2,"text":"b"},"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":2}})");
  EXPECT_EQ(tgi.usage().output_tokens, tokens(2));

  StreamUsage llama(Dialect::native);
  EXPECT_TRUE(llama.feed(R"({"content":"a","stop":false})").content);
  llama.feed(
      R"({"content":"","stop":true,"timings":{"cache_n":921,"prompt_n":1,"predicted_n":4}})");
  EXPECT_EQ(llama.usage(), (core::Usage{tokens(922), tokens(921), tokens(4)}));
}

TEST(AnswerTail, AnswersOfEveryDialectSayTheirUsage) {
  const auto usage_of = [](std::string_view body) {
    AnswerTail tail;
    tail.feed(body);
    return tail.usage();
  };
  EXPECT_EQ(
      usage_of(
          R"({"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":5,"total_tokens":5}})"),
      (core::Usage{tokens(5), {}, {}}));
  EXPECT_EQ(
      usage_of(
          R"({"id":"rerank-1","usage":{"total_tokens":56},"results":[{"index":0,"relevance_score":0.9}]})"),
      (core::Usage{tokens(56), {}, {}}));
  EXPECT_EQ(
      usage_of(
          R"({"id":"resp_1","output":[],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":8},"output_tokens":2,"total_tokens":11}})"),
      (core::Usage{tokens(9), tokens(8), tokens(2)}));
  EXPECT_EQ(
      usage_of(
          R"({"text":"a","meta_info":{"prompt_tokens":9,"completion_tokens":2,"cached_tokens":0}})"),
      (core::Usage{tokens(9), tokens(0), tokens(2)}));
  EXPECT_EQ(usage_of(R"({"content":"a","timings":{"cache_n":3,"prompt_n":4,"predicted_n":2}})"),
            (core::Usage{tokens(7), tokens(3), tokens(2)}));
  EXPECT_EQ(usage_of(R"({"usage":{"prompt_tokens":9223372036854775807}})"), core::Usage{});
}

TEST(AnswerTail, AResponsesAnswerMayEndInACall) {
  AnswerTail tail;
  tail.feed(R"({"output":[{"type":"function_call","name":"f"}],"tools":[{"type":"function"}]})");
  EXPECT_TRUE(tail.ended_in_tool_call());
  AnswerTail text;
  text.feed(R"({"output":[{"type":"message"}],"tools":[{"type":"function"}]})");
  EXPECT_FALSE(text.ended_in_tool_call());
}

}  // namespace
}  // namespace turnpike::openai
