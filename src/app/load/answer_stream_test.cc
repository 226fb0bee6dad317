#include "app/load/answer_stream.h"

#include <gtest/gtest.h>

namespace turnpike::app {
namespace {

constexpr std::string_view kRole =
    R"(data: {"id":"1","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kNullRole =
    R"(data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]})"
    "\n\n";
constexpr std::string_view kToken =
    R"(data: {"id":"1","choices":[{"index":0,"delta":{"content":"V\"\n"},"finish_reason":null}]})"
    "\n\n";
constexpr std::string_view kLast =
    R"(data: {"id":"1","choices":[{"index":0,"delta":{"content":":"},"finish_reason":"length"}]})"
    "\n\n";
constexpr std::string_view kUsage =
    R"(data: {"choices":[],"usage":{"prompt_tokens":904,"total_tokens":910,"completion_tokens":6,"prompt_tokens_details":{"cached_tokens":896}}})"
    "\n\n";

TEST(AnswerStream, FindsWhatAClientNeeds) {
  AnswerStream stream;
  EXPECT_FALSE(stream.feed(kRole));
  EXPECT_FALSE(stream.has_content());
  EXPECT_TRUE(stream.feed(kToken));
  EXPECT_FALSE(stream.feed(kToken));
  EXPECT_FALSE(stream.complete());
  stream.feed(kLast);
  EXPECT_TRUE(stream.complete());
  EXPECT_EQ(stream.completion_tokens(), 3);
  stream.feed(kUsage);
  stream.feed("data: [DONE]\n\n");
  EXPECT_EQ(stream.prompt_tokens(), 904);
  EXPECT_EQ(stream.cached_tokens(), 896);
  EXPECT_EQ(stream.completion_tokens(), 6);
  EXPECT_EQ(stream.raw_text(), R"(V\"\nV\"\n:)");
  EXPECT_FALSE(stream.failed());
}

TEST(AnswerStream, TakesBytesAsTheyCome) {
  AnswerStream stream;
  int firsts = 0;
  for (const std::string_view part : {kRole, kToken, kLast, kUsage}) {
    for (const char c : part) firsts += stream.feed({&c, 1}) ? 1 : 0;
  }
  EXPECT_EQ(firsts, 1);
  EXPECT_EQ(stream.completion_tokens(), 6);
  EXPECT_TRUE(stream.complete());
}

TEST(AnswerStream, NullContentIsNoContent) {
  AnswerStream stream;
  EXPECT_FALSE(stream.feed(kNullRole));
  EXPECT_FALSE(stream.feed(": a comment\n\n"));
  EXPECT_FALSE(stream.has_content());
}

TEST(AnswerStream, ReasoningAndToolCallsAreContent) {
  AnswerStream reasoning;
  EXPECT_TRUE(
      reasoning.feed("data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n"));
  AnswerStream tool;
  EXPECT_TRUE(tool.feed("data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]}}]}\n\n"));
}

TEST(AnswerStream, WordsWithinTheTextAreNotKeys) {
  AnswerStream stream;
  EXPECT_TRUE(stream.feed(
      R"(data: {"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1} finish_reason"},"finish_reason":null}],"usage":null})"
      "\n\n"));
  EXPECT_FALSE(stream.prompt_tokens().has_value());
  EXPECT_FALSE(stream.complete());
}

TEST(AnswerStream, ErrorsAreSeen) {
  AnswerStream stream;
  stream.feed(kToken);
  stream.feed("data: {\"error\":{\"message\":\"upstream died\"}}\n\n");
  EXPECT_TRUE(stream.failed());
  EXPECT_FALSE(stream.complete());
  EXPECT_NE(stream.error().find("upstream died"), std::string_view::npos);
}

TEST(AnswerStream, UsageInTheLastChunkWithoutDone) {
  AnswerStream stream;
  stream.feed(
      "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\": "
      "{\"prompt_tokens\": 7, "
      "\"completion_tokens\": 2}}\n\n");
  EXPECT_TRUE(stream.complete());
  EXPECT_EQ(stream.prompt_tokens(), 7);
  EXPECT_FALSE(stream.cached_tokens().has_value());
}

}  // namespace
}  // namespace turnpike::app
