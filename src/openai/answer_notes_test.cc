#include "openai/answer_notes.h"

#include <string>

#include <gtest/gtest.h>

#include "base/hash_chain.h"

namespace turnpike::openai {
namespace {

AnswerNotes whole(std::string_view body, bool responses = false) {
  AnswerNotes notes(responses);
  for (const char& c : body) notes.bytes({&c, 1});
  return notes;
}

TEST(AnswerNotes, HowAWholeAnswerBegan) {
  AnswerNotes notes = whole(
      R"({"id":"c","choices":[{"message":{"role":"assistant","content":"Good \u00e9 day, \"you\"!","tool_calls":null}}]})");
  EXPECT_EQ(notes.sign().text(), "gooddayyou");
  EXPECT_EQ(notes.sign().call, 0U);
}

TEST(AnswerNotes, TheFirstToolCall) {
  AnswerNotes notes = whole(
      R"({"id":"c","choices":[{"message":{"content":null,"tool_calls": [{"index":0, "id": "call_1"},{"id":"call_2"}]}}]})");
  EXPECT_EQ(notes.sign().text(), "");
  EXPECT_EQ(notes.sign().call, hash_bytes("call_1"));
  AnswerNotes claude = whole(
      R"({"id":"msg_1","content":[{"type":"thinking","thinking":"x"},{"type":"text","text":"Now"},{"type":"tool_use","id":"toolu_1","input":{}}]})");
  EXPECT_EQ(claude.sign().text(), "now");
  EXPECT_EQ(claude.sign().call, hash_bytes("toolu_1"));
}

TEST(AnswerNotes, AStreamIsReadUntilItsBeginningIsKnown) {
  AnswerNotes notes;
  notes.event(R"({"choices":[{"delta":{"role":"assistant","content":""}}]})");
  notes.event(R"({"choices":[{"delta":{"reasoning_content":"Let me see"}}]})");
  for (int i = 0; i < 10 && notes.wants_more(); ++i)
    notes.event(R"({"choices":[{"delta":{"content":"abcde "}}]})");
  EXPECT_FALSE(notes.wants_more());
  EXPECT_EQ(notes.sign().text(), "abcdeabcdeabcdeabcdeabcd");
}

TEST(AnswerNotes, TheIdOfAResponse) {
  EXPECT_EQ(whole(R"({"id": "resp_1", "object": "response", "output": [{"id":"msg_1"}]})", true)
                .response_id(),
            "resp_1");
  EXPECT_EQ(
      whole(R"({"output":[{"id":"msg_1"}],"previous_response_id":"resp_0","id":"resp_1"})", true)
          .response_id(),
      "resp_1");
  EXPECT_EQ(whole(R"({"id":"resp_1"})").response_id(), "") << "of another API";
  AnswerNotes stream(true);
  stream.event(R"({"type":"response.created","response":{"id":"resp_2","output":[]}})");
  EXPECT_EQ(stream.response_id_yet(), "resp_2");
  EXPECT_TRUE(stream.wants_more());
  stream.event(
      R"({"type":"response.output_text.delta","delta":"Some words of the answer come here"})");
  EXPECT_FALSE(stream.wants_more());
}

TEST(AnswerNotes, ReasoningInTheTextTellsNothing) {
  EXPECT_EQ(whole(R"({"choices":[{"message":{"content":"<think>\nSo"}}]})").sign().count, 0);
}

TEST(AnswerNotes, LooksAtTheBeginningOnly) {
  const std::string filler(AnswerNotes::kKept, ' ');
  AnswerNotes notes = whole(filler + R"({"content":"text"})");
  EXPECT_FALSE(notes.wants_more());
  EXPECT_EQ(notes.sign().count, 0);
  AnswerNotes fits = whole(filler.substr(19) + R"({"content":"text"})" + filler);
  EXPECT_EQ(fits.sign().text(), "text");
  AnswerNotes stream;
  for (std::size_t i = 0; i <= AnswerNotes::kMostEvents; ++i) stream.event("{}");
  EXPECT_FALSE(stream.wants_more());
}

TEST(AnswerNotes, OddBytesAreNoHarm) {
  for (const std::string body : {"", "\"content\"", "\"content\":", "\"content\":\"",
                                 "\"content\":\"\\", "\"id\":\"\"", "\"tool_calls\":[{\"id\":"}) {
    EXPECT_EQ(whole(body).sign().count, 0) << body;
    EXPECT_EQ(whole(body, true).response_id(), "") << body;
  }
}

TEST(AnswerSign, TellsAnswersApart) {
  const auto sign = [](std::string_view text, std::uint64_t call = 0) {
    AnswerSign made{.call = call};
    made.take(text);
    return made;
  };
  EXPECT_EQ(compare(sign("Good day"), sign("good-day!")), Likeness::same);
  EXPECT_EQ(compare(sign("Good day to you"), sign("Good day to")), Likeness::same);
  EXPECT_EQ(compare(sign("Yes"), sign("Yes")), Likeness::same);
  EXPECT_EQ(compare(sign("Yes"), sign("Yes, but")), Likeness::unknown);
  EXPECT_EQ(compare(sign("Yes"), sign("No")), Likeness::other);
  EXPECT_EQ(compare(sign(""), sign("No")), Likeness::unknown);
  EXPECT_EQ(compare(sign("a", 1), sign("b", 1)), Likeness::same);
  EXPECT_EQ(compare(sign("a", 1), sign("a", 2)), Likeness::other);
  EXPECT_EQ(compare(sign("same words", 1), sign("same words")), Likeness::same);
}

}  // namespace
}  // namespace turnpike::openai
