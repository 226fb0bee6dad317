#include "openai/body.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/byte_buffer.h"
#include "openai/prompt_size.h"

namespace turnpike::openai {
namespace {

using testing::HasSubstr;

std::expected<BodyFacts, BodyError> scan(std::string_view body,
                                         Route route = Route::chat_completions) {
  ByteBuffer buffer;
  buffer.append(body);
  if (body.empty()) buffer.prepare(1);
  BodyScanner scanner;
  return scanner.scan(route, buffer.view());
}

BodyFacts facts(std::string_view body, Route route = Route::chat_completions) {
  auto result = scan(body, route);
  EXPECT_TRUE(result.has_value()) << body << ": " << (result ? "" : result.error().message);
  return result ? std::move(*result) : BodyFacts();
}

// The body as the engine gets it when the gateway asks for usage.
std::string with_usage(std::string_view body) {
  const BodyFacts found = facts(body);
  if (!found.ask_for_usage) return "unchanged";
  SplicedBody spliced(body);
  spliced.add(*found.ask_for_usage);
  std::string out;
  spliced.append_to(out);
  EXPECT_EQ(out.size(), spliced.size());
  EXPECT_TRUE(facts(out).include_usage) << out;
  return out;
}

TEST(BodyScanner, ReadsWhatAGatewayNeeds) {
  const std::string body =
      R"({"model":"tiny","messages":[{"role":"user","content":"hi"}],"stream":true,"user":"u1","metadata":{"session_id":"s1"},"temperature":0.5})";
  const BodyFacts found = facts(body);
  EXPECT_EQ(found.model, "tiny");
  EXPECT_TRUE(found.stream);
  EXPECT_FALSE(found.include_usage);
  EXPECT_EQ(found.user, "u1");
  EXPECT_EQ(found.session, "s1");
  EXPECT_EQ(found.session_field, BodySession::metadata_session_id);
  EXPECT_EQ(found.prompt.text_bytes,
            std::string_view(R"([{"role":"user","content":"hi"}])").size());
  EXPECT_NE(found.prompt_hash, 0U);
  EXPECT_EQ(body.substr(found.model_at, found.model_size), "\"tiny\"");
}

TEST(BodyScanner, RefusesWhatItCannotRead) {
  struct Case {
    std::string body;
    std::string says;
    std::string param;
  };
  const std::vector<Case> cases = {
      {"", "empty", ""},
      {"   ", "empty", ""},
      {"nonsense", "JSON", ""},
      {"[1]", "must be a JSON object", ""},
      {"\"x\"", "JSON object", ""},
      {"17", "JSON object", ""},
      {R"({"model":"m")", "JSON", ""},
      {R"({"model":"m"}})", "after the end", ""},
      {R"({"model":"m"}{"model":"n"})", "after the end", ""},
      {R"({"model":"m"} x)", "JSON", ""},
      {R"({"model" "m"})", "JSON", ""},
      {R"({"model":"m" "stream":true})", "JSON", ""},
      {R"({"model":"m",})", "JSON", ""},
      {R"({model:"m"})", "JSON", ""},
      {"{\"model\":\"m", "JSON", ""},
      {"{\"model\":\"m\xff\"}", "UTF-8", ""},
      {"{\"model\":\"m\", \"x\":\"\xc3\"}", "UTF-8", ""},
      {"{\"model\":\"a\nb\"}", "JSON", ""},
      {R"({"model":"\ud800"})", "JSON", ""},
      {R"({"model":"\x"})", "JSON", ""},
      {R"({})", "missing", "model"},
      {R"({"messages":[]})", "missing", "model"},
      {R"({"model":""})", "non-empty string", "model"},
      {R"({"model":7})", "non-empty string", "model"},
      {R"({"model":null})", "non-empty string", "model"},
      {R"({"model":["m"]})", "non-empty string", "model"},
      {R"({"model":{"a":1}})", "non-empty string", "model"},
      {R"({"model":"m","stream":"yes"})", "boolean", "stream"},
      {R"({"model":"m","stream":1})", "boolean", "stream"},
      {R"({"model":"m","stream_options":[]})", "object", "stream_options"},
      {R"({"model":"m","stream_options":{"include_usage":3}})", "boolean",
       "stream_options.include_usage"},
      {R"({"model":"m","model":"n"})", "twice", "model"},
      {R"({"model":"m","\u006dodel":"n"})", "twice", "model"},
      {R"({"mod\u0065l":"m","model":"n"})", "twice", "model"},
      {R"({"model":"m","stream":true,"stream":false})", "twice", "stream"},
      {R"({"model":"m","messages":[],"messages":[]})", "twice", "messages"},
      {R"({"model":"m","user":"a","user":"b"})", "twice", "user"},
      {R"({"model":"m","stream_options":{"include_usage":true,"include_usage":false}})", "twice",
       "stream_options.include_usage"},
  };
  for (const Case& c : cases) {
    const auto result = scan(c.body);
    ASSERT_FALSE(result.has_value()) << c.body;
    EXPECT_THAT(result.error().message, HasSubstr(c.says)) << c.body;
    EXPECT_EQ(result.error().param, c.param) << c.body;
  }
}

TEST(BodyScanner, LeavesTheRestToTheEngine) {
  EXPECT_EQ(facts(R"({"model":"m","x":1,"x":2})").model, "m") << "duplicate keys that are not read";
  EXPECT_EQ(facts(R"({"model":"m","messages":[{"role":tru}]})").model, "m")
      << "errors deeper than the top level";
  EXPECT_EQ(facts(R"({"model":"m","user":7,"metadata":"x","session_id":[1]})").user, "");
  EXPECT_EQ(facts(R"({"model":"m","stream":null,"stream_options":null})").stream, false);
  EXPECT_EQ(facts(" \r\n\t{ \"model\" : \"m\" } \n").model, "m");
}

TEST(BodyScanner, ComparesKeysUnescaped) {
  EXPECT_EQ(facts(R"({"\u006Dodel":"a\u0062\"c"})").model, "ab\"c");
}

TEST(BodyScanner, ModelMayBeMissingWhereTheEngineHasOnlyOne) {
  EXPECT_EQ(facts(R"({"text":"hello"})", Route::engine).model, "");
  EXPECT_FALSE(scan(R"({"text":"hello"})", Route::completions).has_value());
}

TEST(BodyScanner, FirstNamedSessionFieldWins) {
  EXPECT_EQ(facts(R"({"model":"m","prompt_cache_key":"p","conversation_id":"c","session_id":"s"})")
                .session,
            "s");
  EXPECT_EQ(facts(R"({"model":"m","session_id":"","conversation_id":"c"})").session, "c");
  EXPECT_EQ(facts(R"({"model":"m","metadata":{"a":{"session_id":"x"},"session_id":"y"}})").session,
            "y");
  EXPECT_EQ(facts(R"({"model":"m","prompt_cache_key":"p"})").session_field,
            BodySession::prompt_cache_key);
}

TEST(BodyScanner, UserGoesBeforeSafetyIdentifier) {
  EXPECT_EQ(facts(R"({"model":"m","safety_identifier":"s","user":"u"})").user, "u");
  EXPECT_EQ(facts(R"({"model":"m","user":"u","safety_identifier":"s"})").user, "u");
  EXPECT_EQ(facts(R"({"model":"m","safety_identifier":"s"})").user, "s");
}

TEST(AskForUsage, IsSplicedInAndAllElseStays) {
  EXPECT_EQ(with_usage(R"({"model":"m","stream":true})"),
            R"({"stream_options":{"include_usage":true},"model":"m","stream":true})");
  EXPECT_EQ(with_usage("\n { \"model\":\"m\", \"stream\":true }"),
            "\n {\"stream_options\":{\"include_usage\":true}, \"model\":\"m\", \"stream\":true }");
  EXPECT_EQ(with_usage(R"({"model":"m","stream_options":{},"stream":true})"),
            R"({"model":"m","stream_options":{"include_usage":true},"stream":true})");
  EXPECT_EQ(
      with_usage(
          R"({"model":"m","stream_options": { "continuous_usage_stats":true },"stream":true})"),
      R"({"model":"m","stream_options": {"include_usage":true, "continuous_usage_stats":true },"stream":true})");
  EXPECT_EQ(with_usage(R"({"model":"m","stream_options":{"include_usage": false },"stream":true})"),
            R"({"model":"m","stream_options":{"include_usage": true },"stream":true})");
  EXPECT_EQ(with_usage(R"({"model":"m","stream_options":{"include_usage":null},"stream":true})"),
            R"({"model":"m","stream_options":{"include_usage":true},"stream":true})");
  EXPECT_EQ(with_usage(R"({"model":"m","stream_options" : null ,"stream":true})"),
            R"({"model":"m","stream_options" : {"include_usage":true} ,"stream":true})");
}

TEST(AskForUsage, OnlyWhereItMeansSomething) {
  EXPECT_FALSE(facts(R"({"model":"m","stream":true,"stream_options":{"include_usage":true}})")
                   .ask_for_usage);
  EXPECT_FALSE(facts(R"({"model":"m","stream":false})").ask_for_usage);
  EXPECT_FALSE(facts(R"({"model":"m"})").ask_for_usage);
  EXPECT_FALSE(facts(R"({"model":"m","stream":true})", Route::responses).ask_for_usage);
  EXPECT_TRUE(facts(R"({"model":"m","stream":true})", Route::completions).ask_for_usage);
}

TEST(PromptSize, CountsTokenIdsExactly) {
  EXPECT_EQ(facts(R"({"model":"m","prompt":[1, 22,333]})").prompt, (PromptSize{0, 0, 3}));
  EXPECT_EQ(facts(R"({"model":"m","prompt":[[1,22],[333]]})").prompt, (PromptSize{0, 0, 3}));
  EXPECT_EQ(facts(R"({"model":"m","prompt":["1","2"]})").prompt, (PromptSize{9, 0, 0}));
  EXPECT_EQ(facts(R"({"model":"m","prompt":[]})").prompt.token_ids, 0U);
}

TEST(PromptSize, ToolsAndSystemTextCount) {
  const BodyFacts found = facts(R"({"model":"m","messages":[1],"tools":[{"a":1}],"system":"abc"})");
  EXPECT_EQ(found.prompt.text_bytes + found.prompt.token_ids, 1U + 9U + 5U);
}

TEST(PromptSize, MediaAreNotText) {
  const std::string base64(20'000, 'Q');
  const std::string text = R"([{"type":"image_url","image_url":{"url":"data:image/png;base64,)";
  const PromptSize size = measure_text(text + base64 + "\"}}, {\"text\":\"what is this\"}]");
  EXPECT_EQ(size.media, 1U);
  EXPECT_LT(size.text_bytes, 150U);
  EXPECT_EQ(size.estimate().value(), static_cast<std::int64_t>(size.text_bytes / 4 + 1000));
  std::string prose;
  while (prose.size() < 50'000) prose += "The quick brown fox jumps over the lazy dog. ";
  EXPECT_EQ(measure_text(prose).media, 0U);
  EXPECT_EQ(measure_text(prose).text_bytes, prose.size());
  // Two images, and one so long that many looks fall into it.
  const PromptSize two = measure_text(std::string(100'000, 'A') + prose + std::string(9000, 'B'));
  EXPECT_EQ(two.media, 2U);
  EXPECT_LE(two.text_bytes, prose.size());
}

TEST(PromptHash, IsThatOfThePromptAlone) {
  const auto hash = [](std::string_view body) { return facts(body).prompt_hash; };
  EXPECT_EQ(hash(R"({"model":"m","messages":["a"],"temperature":1})"),
            hash(R"({"messages": ["a"],"model":"n"})"));
  EXPECT_NE(hash(R"({"model":"m","messages":["a"]})"), hash(R"({"model":"m","messages":["b"]})"));
  EXPECT_NE(hash(R"({"model":"m","messages":["a"]})"), hash(R"({"model":"m","input":["a"]})"));
  EXPECT_EQ(hash(R"({"model":"m","messages":["a"],"tools":[1]})"),
            hash(R"({"model":"m","tools":[1],"messages":["a"]})"));
  EXPECT_EQ(hash(R"({"model":"m"})"), 0U);
  const std::string large(200'000, 'x');
  EXPECT_NE(hash_prompt(large, 1), hash_prompt(large + "x", 1));
  EXPECT_NE(hash_prompt(large, 1), hash_prompt(large.substr(1) + "y", 1));
}

TEST(BodyScanner, AScannerIsUsedAgainAfterErrorsAndLargeBodies) {
  BodyScanner scanner;
  const std::string large = R"({"model":"m","messages":[")" + std::string(3'000'000, 'x') + "\"]}";
  for (const std::string& body :
       {std::string("{"), large, std::string(R"({"model":"m"})"), std::string("{\"a\":")}) {
    ByteBuffer buffer;
    buffer.append(body);
    EXPECT_EQ(scanner.scan(Route::chat_completions, buffer.view()).has_value(),
              body.ends_with('}'));
  }
}

TEST(ByteBuffer, KeepsWhatWasPutInByAnyWay) {
  ByteBuffer buffer;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string piece(static_cast<std::size_t>(i), static_cast<char>('a' + i % 26));
    expected += piece;
    if (i % 2 == 0) {
      buffer.append(piece);
    } else {
      const auto room = buffer.prepare(piece.size());
      ASSERT_GE(room.size(), piece.size());
      piece.copy(room.data(), piece.size());
      buffer.commit(piece.size());
    }
  }
  EXPECT_EQ(buffer.view(), expected);
  buffer.clear();
  EXPECT_EQ(buffer.view(), "");
}

TEST(SplicedBody, SortsItsSplices) {
  SplicedBody body("0123456789");
  body.add({8, 1, "h"});
  body.add({0, 0, "a"});
  body.add({3, 2, ""});
  std::string out;
  body.append_to(out);
  EXPECT_EQ(out,
            "a0125"
            "67h9");
  EXPECT_EQ(body.size(), out.size());
}

// What is read of messages must not change what is taken for a body.
TEST(BodyMessages, AKeyInPlaceOfAMessageIsRefusedAsWithoutReadingThem) {
  for (const std::string_view messages :
       {R"([{"role":"user","content":"a"}, "{role": "assistant", "content": "b"}])",
        R"([{"role":"user","content":["a": "b", "c": "d"}]}])", R"(["a", 1, null])",
        R"([{"role":"user","content":[{"type":"text" "text":"a"}]}])", R"([{"role":}])", R"([[]])",
        R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"b":"c"}}]}])",
        R"([{"role":"user","id":"b":"c"}}])", R"([{"role"::x "assistant","a":"b"}])",
        R"([{"role":"user","name":"x","signature":"b":"c"}}])",
        R"([{"role":"user","content":[1, true, null, "x"]}])"}) {
    const std::string body = R"({"messages":)" + std::string(messages) + R"(,"model":"m"})";
    ByteBuffer bytes;
    bytes.append(body);
    BodyScanner scanner;
    const auto with = scanner.scan(Route::chat_completions, bytes.view());
    const auto without = scanner.scan(Route::chat_completions, bytes.view(), false);
    EXPECT_EQ(with.has_value(), without.has_value()) << body;
    if (with && without) {
      EXPECT_EQ(with->prompt_hash, without->prompt_hash) << body;
    }
  }
}

TEST(Route, IsFoundByMethodAndPath) {
  EXPECT_EQ(find_route("POST", "/v1/chat/completions"), Route::chat_completions);
  EXPECT_EQ(find_route("GET", "/v1/chat/completions"), Route::wrong_method);
  EXPECT_EQ(find_route("POST", "/v1/embeddings"), Route::other_v1);
  EXPECT_EQ(find_route("HEAD", "/v1/models"), Route::models);
  EXPECT_EQ(find_route("GET", "/v1/models/org/name"), Route::model);
  EXPECT_EQ(find_route("GET", "/v1/realtime"), Route::unsupported);
  EXPECT_EQ(find_route("POST", "/tokenize"), Route::engine);
  EXPECT_EQ(find_route("GET", "/"), Route::unknown);
  EXPECT_EQ(find_route("GET", "/v1/responses/resp_1"), Route::stored_response);
  EXPECT_EQ(find_route("DELETE", "/v1/responses/resp_1"), Route::stored_response);
  EXPECT_EQ(find_route("POST", "/v1/responses/resp_1"), Route::wrong_method);
  EXPECT_EQ(find_route("POST", "/v1/responses/resp_1/cancel"), Route::stored_response);
  EXPECT_EQ(find_route("GET", "/v1/responses/resp_1/cancel"), Route::wrong_method);
  EXPECT_EQ(find_route("GET", "/v1/responses/resp_1/input_items"), Route::stored_response);
  EXPECT_EQ(find_route("POST", "/v1/responses/resp_1/other"), Route::unknown);
  EXPECT_EQ(find_route("POST", "/v1/responses"), Route::responses);
  EXPECT_EQ(stored_response_id("/v1/responses/resp_1/cancel"), "resp_1");
  EXPECT_EQ(dialect_of(Route::messages), Dialect::anthropic);
}

}  // namespace
}  // namespace turnpike::openai

namespace turnpike::openai {
namespace {

std::vector<std::uint64_t> blocks_of(const std::string& body) {
  ByteBuffer buffer;
  buffer.append(body);
  BodyScanner scanner;
  const auto facts = scanner.scan(Route::chat_completions, buffer.view());
  EXPECT_TRUE(facts) << facts.error().message;
  return facts ? facts->blocks : std::vector<std::uint64_t>{};
}

std::string message(char c, std::size_t size) {
  return R"({"role":"user","content":")" + std::string(size, c) + "\"}";
}

TEST(BodyBlocks, ATurnThatExtendsTheConversationBeginsWithItsBlocks) {
  const std::string first = message('a', 3000);
  const auto one = blocks_of(R"({"model":"m","messages":[)" + first + "]}");
  const auto two = blocks_of(R"({"stream":true,"messages":[)" + first + "," + message('b', 2000) +
                             R"(],"model":"m"})");
  ASSERT_EQ(one.size(), 2U);
  ASSERT_EQ(two.size(), 4U) << "whole blocks only";
  EXPECT_TRUE(std::equal(one.begin(), one.end(), two.begin()));
}

TEST(BodyBlocks, WhatDiffersFirstDecides) {
  const std::string same = message('a', 1500);
  const auto plain = blocks_of(R"({"model":"m","messages":[)" + same + "]}");
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_NE(plain, blocks_of(R"({"model":"n","messages":[)" + same + "]}"));
  EXPECT_NE(plain,
            blocks_of(R"({"model":"m","tools":[{"type":"function"}],"messages":[)" + same + "]}"));
  EXPECT_NE(plain, blocks_of(R"({"model":"m","messages":[)" + message('b', 1500) + "]}"));
}

TEST(BodyBlocks, AShortPromptHasNoneAndALongOneABound) {
  EXPECT_TRUE(blocks_of(R"({"model":"m","messages":[)" + message('a', 500) + "]}").empty());
  const auto most = blocks_of(R"({"model":"m","messages":[)" +
                              message('a', kBlockBytes * (kMaxBlocks + 5)) + "]}");
  EXPECT_EQ(most.size(), kMaxBlocks);
}

TEST(BodyIds, AUserIdOfAnthropicsClientsMayCarryASession) {
  const auto found = [](std::string_view metadata) {
    return facts(R"({"model":"m","metadata":{"user_id":")" + std::string(metadata) + "\"}}",
                 Route::messages);
  };
  const BodyFacts plain = found("user_1a2b_account_3c_session_4d5e");
  EXPECT_EQ(plain.session, "4d5e");
  EXPECT_EQ(plain.session_field, BodySession::metadata_user_id);
  EXPECT_EQ(found(R"({\"device_id\":\"d\",\"session_id\":\"4d5e\"})").session, "4d5e");
  const BodyFacts opaque = found("somebody");
  EXPECT_EQ(opaque.session, "");
  EXPECT_EQ(opaque.user, "somebody");
  EXPECT_EQ(found(R"({\"session_id\":7})").session, "");
}

TEST(BodyIds, FieldsThatWereAskedFor) {
  BodyScanner scanner({"chat", "metadata.thread", "extra.id", "user"});
  ByteBuffer body;
  body.append(
      R"({"chat":"c","model":"m","metadata":{"thread":"t","x":1},"extra":{"id":"e"},"user":"u","other":{"id":"no"}})");
  const auto found = scanner.scan(Route::chat_completions, body.view());
  ASSERT_TRUE(found);
  std::string all;
  for (const NamedField& field : found->fields) all += field.name + "=" + field.value + " ";
  EXPECT_EQ(all, "chat=c metadata.thread=t extra.id=e user=u ");
  EXPECT_EQ(found->user, "u");
}

}  // namespace
}  // namespace turnpike::openai
