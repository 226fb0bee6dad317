#include "app/engine/prompt.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::app {
namespace {

using ::testing::HasSubstr;

GenerationRequest chat(std::string_view body) {
  auto request = parse_generation(Api::chat, body);
  EXPECT_TRUE(request.has_value()) << (request ? "" : request.error().message);
  return request ? *std::move(request) : GenerationRequest{};
}

std::string message(std::string_view role, std::string_view text) {
  return fmt::format(R"({{"role":"{}","content":"{}"}})", role, text);
}

TEST(Prompt, FourBytesAreATokenAndAMessageIsOneMore) {
  const auto request = chat(R"({"model":"m","messages":[{"role":"user","content":"12345678"}]})");
  EXPECT_EQ(prompt_tokens(request), TokenCount(1 + 2 + 1));
  EXPECT_EQ(request.model, "m");
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.max_tokens.has_value());
}

TEST(Prompt, MessagesAreFilledUpToWholeTokens) {
  EXPECT_EQ(prompt_tokens(chat(R"({"messages":[{"role":"user","content":"1"}]})")), TokenCount(3));
  EXPECT_EQ(prompt_tokens(chat(R"({"messages":[{"role":"user","content":""}]})")), TokenCount(2));
  EXPECT_EQ(prompt_tokens(chat(R"({"messages":[{"role":"user"}]})")), TokenCount(2));
}

TEST(Prompt, PartsAreJoined) {
  EXPECT_EQ(
      chat(
          R"({"messages":[{"role":"user","content":[{"type":"text","text":"ab"},{"type":"text","text":"cd"}]}]})")
          .rendered,
      chat(R"({"messages":[{"role":"user","content":"abcd"}]})").rendered);
}

TEST(Prompt, ToolsAndToolCallsAreText) {
  const auto plain = chat(R"({"messages":[{"role":"user","content":"abcd"}]})");
  const auto tools =
      chat(R"({"tools":[{"type":"function"}],"messages":[{"role":"user","content":"abcd"}]})");
  EXPECT_GT(prompt_tokens(tools), prompt_tokens(plain));
  const auto call = chat(
      R"({"messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]},{"role":"tool","content":"ok"}]})");
  EXPECT_THAT(call.rendered, HasSubstr(R"([{"id":"1"}])"));
}

TEST(Prompt, Options) {
  const auto request = chat(
      R"({"messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":7,"max_tokens":null})");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_EQ(request.max_tokens, 7);
}

TEST(Prompt, AnAnswerSentBackStandsWhereTheDecodeWroteIt) {
  const std::string question = message("user", std::string(500, 'q'));
  const auto first = chat(fmt::format(R"({{"messages":[{}]}})", question));
  const std::string answer = answer_text(first.rendered, TokenCount(40));
  const auto second = chat(fmt::format(R"({{"messages":[{},{},{}]}})", question,
                                       message("assistant", answer), message("user", "and?")));
  EXPECT_TRUE(second.rendered.starts_with(first.rendered + answer));
  const auto before = block_chain(first.rendered, answer);
  const auto after = block_chain(second.rendered, {});
  ASSERT_GE(after.size(), before.size());
  EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
  EXPECT_EQ(before.size(), static_cast<std::size_t>((127 + 40) / 16));
}

TEST(Prompt, ACompletionContinuedByItsAnswerHitsToo) {
  const std::string prompt(203, 'p');  // not a whole number of tokens
  auto first = parse_generation(Api::completion, fmt::format(R"({{"prompt":"{}"}})", prompt));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(prompt_tokens(*first), TokenCount(51));
  const std::string answer = answer_text(first->rendered, TokenCount(20));
  const auto before = block_chain(first->rendered, answer);
  const auto after = block_chain(prompt + answer + "more", {});
  EXPECT_EQ(before, after);
}

TEST(Prompt, CompletionPromptsOfAllForms) {
  const auto tokens = [](std::string_view body) {
    auto request = parse_generation(Api::completion, body);
    return request ? prompt_tokens(*request).value() : -request.error().status;
  };
  EXPECT_EQ(tokens(R"({"prompt":"12345"})"), 2);
  EXPECT_EQ(tokens(R"({"prompt":["12345"]})"), 2);
  EXPECT_EQ(tokens(R"({"prompt":[1,2,3]})"), 3);
  EXPECT_EQ(tokens(R"({"prompt":[[1,2,3]]})"), 3);
  EXPECT_EQ(tokens(R"({"prompt":["a","b"]})"), -400);
  EXPECT_EQ(tokens(R"({"prompt":[]})"), -400);
  EXPECT_EQ(tokens(R"({"prompt":""})"), -400);
  EXPECT_EQ(tokens(R"({"prompt":[[[1]]]})"), -400);
  EXPECT_EQ(tokens(R"({"prompt":{}})"), -400);
  EXPECT_EQ(tokens(R"({})"), -400);
}

TEST(Prompt, WrongRequestsAre400AndNameTheField) {
  const auto error = [](std::string_view body) {
    auto request = parse_generation(Api::chat, body);
    EXPECT_FALSE(request.has_value()) << body;
    return request ? ApiError{} : request.error();
  };
  EXPECT_THAT(error("{").message, HasSubstr("json_invalid"));
  EXPECT_THAT(error("").message, HasSubstr("json_invalid"));
  EXPECT_THAT(error("[]").message, HasSubstr("object"));
  EXPECT_EQ(error("{}").param, "messages");
  EXPECT_EQ(error(R"({"messages":[]})").param, "messages");
  EXPECT_EQ(error(R"({"messages":["x"]})").param, "messages");
  EXPECT_EQ(error(R"({"model":1,"messages":[{"role":"user"}]})").param, "model");
  EXPECT_EQ(error(R"({"max_tokens":0,"messages":[{"role":"user"}]})").param, "max_tokens");
  EXPECT_EQ(error(R"({"max_tokens":"9","messages":[{"role":"user"}]})").param, "max_tokens");
  EXPECT_EQ(error(R"({"n":2,"messages":[{"role":"user"}]})").param, "n");
}

TEST(Answer, IsDeterministicAsciiAndAPrefixOfALongerOne) {
  const std::string longer = answer_text("prompt", TokenCount(50));
  EXPECT_EQ(longer.size(), 200);
  EXPECT_EQ(answer_text("prompt", TokenCount(10)), longer.substr(0, 40));
  EXPECT_NE(answer_text("other", TokenCount(10)), longer.substr(0, 40));
  for (const char c : longer) EXPECT_TRUE(c == ' ' || (c >= 'a' && c <= 'z'));
}

TEST(Answer, DefaultLengthIsBounded) {
  for (int i = 0; i < 1000; ++i) {
    const TokenCount length = default_answer_length(std::to_string(i));
    EXPECT_GE(length, TokenCount(16));
    EXPECT_LE(length, TokenCount(256));
  }
}

TEST(BlockChain, ShortTextsHaveNoBlock) {
  EXPECT_TRUE(block_chain(std::string(60, 'x'), "").empty());
  EXPECT_TRUE(block_chain(std::string(60, 'x'), "abc").empty());
  EXPECT_EQ(block_chain(std::string(60, 'x'), "abcd").size(), 1);
  EXPECT_TRUE(block_chain("", "").empty());
}

}  // namespace
}  // namespace turnpike::app
