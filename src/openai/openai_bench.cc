#include <string>

#include <benchmark/benchmark.h>

#include "base/byte_buffer.h"
#include "http/head.h"
#include "openai/body.h"
#include "openai/conversation_index.h"
#include "openai/identity.h"
#include "openai/stream_usage.h"

namespace turnpike::openai {
namespace {

// A conversation of about `size` bytes as an agent sends it: prose and code with escapes, some kilobytes a message.
ByteBuffer conversation(std::size_t size) {
  std::string text =
      R"({"model":"some-org/some-model","stream":true,"temperature":0.7,"user":"u","messages":[)";
  std::string message;
  while (message.size() < std::min<std::size_t>(size / 2, 3000))
    message += R"(  if (a[i] == \"x\") { return b;\n  } // the quick brown fox jumps over )";
  bool first = true;
  while (text.size() < size) {
    if (!first) text += ',';
    first = false;
    text += R"({"role":"user","content":")" + message + "\"}";
  }
  text += "]}";
  ByteBuffer buffer;
  buffer.append(text);
  return buffer;
}

// The second argument: whether messages are read to recognise conversations.
void BM_ScanBody(benchmark::State& state) {
  const ByteBuffer body = conversation(static_cast<std::size_t>(state.range(0)));
  BodyScanner scanner;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        scanner.scan(Route::chat_completions, body.view(), state.range(1) != 0));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(body.size()) *
                          static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(BM_ScanBody)->ArgsProduct({{1 << 10, 8 << 10, 64 << 10, 1 << 20}, {0, 1}});

// The same size in messages of a few words, as no client sends it: what reading costs at most.
void BM_ScanSmallMessages(benchmark::State& state) {
  std::string text = R"({"model":"m","messages":[{"role":"user","content":"a"})";
  while (text.size() < (std::size_t{1} << 20U))
    text += R"(,{"role":"assistant","content":"yes"},{"role":"user","content":"and?"})";
  ByteBuffer body;
  body.append(text + "]}");
  BodyScanner scanner;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        scanner.scan(Route::chat_completions, body.view(), state.range(0) != 0));
  }
}
BENCHMARK(BM_ScanSmallMessages)->Arg(0)->Arg(1);

// A turn of a conversation that is not known, of so many messages, beside 100,000 that are: every place at which it could
// go on from one is looked at, the longest idle is forgotten, and this one remembered and ended.
void BM_UnknownConversation(benchmark::State& state) {
  constexpr std::size_t kKnown = 100'000;
  ConversationIndex index({.conversations = kKnown}, 1);
  std::string text =
      R"({"model":"m","messages":[{"role":"system","content":")" + std::string(4000, 's') + "\"}";
  for (std::int64_t i = 0; i < state.range(0); ++i)
    text += R"(,{"role":"user","content":"a question"},{"role":"assistant","content":"an answer"})";
  ByteBuffer body;
  body.append(text + R"(,{"role":"user","content":"and now?"}]})");
  BodyScanner scanner;
  const auto facts = *scanner.scan(Route::chat_completions, body.view());
  std::uint64_t scope = 0;
  const auto turn = [&] {
    const auto begun =
        index.begin(++scope, facts.conversation, facts.blocks, body.view(), TimePoint{});
    index.end(*begun, true, {}, TimePoint{});
  };
  while (scope < kKnown) turn();
  for (auto _ : state) turn();
}
BENCHMARK(BM_UnknownConversation)->Arg(1)->Arg(20)->Arg(500);

void BM_StreamEvent(benchmark::State& state) {
  const std::string_view first = R"({"choices":[{"index":0,"delta":{"content":"V"}}]})";
  const std::string_view event =
      R"({"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[{"index":0,"delta":{"content":"V"},"logprobs":null,"finish_reason":null,"token_ids":null}]})";
  StreamUsage usage;
  usage.feed(first);
  for (auto _ : state) benchmark::DoNotOptimize(usage.feed(event));
}
BENCHMARK(BM_StreamEvent);

void BM_StreamEventWithUsage(benchmark::State& state) {
  const std::string_view event =
      R"({"id":"chatcmpl-sample-1","object":"chat.completion.chunk","created":1795247045,"model":"tiny","choices":[{"index":0,"delta":{"content":"V"},"logprobs":null,"finish_reason":null}],"usage":{"prompt_tokens":904,"total_tokens":910,"completion_tokens":6}})";
  StreamUsage usage;
  for (auto _ : state) benchmark::DoNotOptimize(usage.feed(event));
}
BENCHMARK(BM_StreamEventWithUsage);

void BM_FindSession(benchmark::State& state) {
  const std::string_view bytes =
      "POST / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nUser-Agent: y\r\nX-Stainless-Lang: "
      "python\r\nX-Stainless-OS: Linux\r\n"
      "Content-Type: application/json\r\nAuthorization: Bearer 1\r\n\r\n";
  http::RequestHead head;
  std::size_t scanned = 0;
  http::parse_request_head(bytes, scanned, {}, head);
  const BodyFacts body;
  const SessionRules rules;
  for (auto _ : state) benchmark::DoNotOptimize(find_session(head, body, rules));
}
BENCHMARK(BM_FindSession);

}  // namespace
}  // namespace turnpike::openai
