#include "openai/conversation_index.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/byte_buffer.h"
#include "base/random.h"
#include "openai/body.h"

namespace turnpike::openai {
namespace {

using How = ConversationIndex::How;

// An index, asked as a gateway asks it.
struct Known {
  ConversationIndex index{ConversationLimits{.conversations = 8, .idle = std::chrono::hours(1)}, 7};
  BodyScanner scanner{};
  TimePoint now = {};
  std::uint64_t scope = 1;

  std::optional<ConversationIndex::Turn> begin(std::string_view body,
                                               Route route = Route::chat_completions) {
    ByteBuffer bytes;
    bytes.append(body);
    const auto facts = scanner.scan(route, bytes.view());
    EXPECT_TRUE(facts) << body;
    if (!facts) return std::nullopt;
    return index.begin(scope, facts->conversation, facts->blocks, bytes.view(), now);
  }
  void end(const std::optional<ConversationIndex::Turn>& turn, std::string_view answer = {}) {
    AnswerSign sign;
    sign.take(answer);
    index.end(*turn, true, sign, now);
  }
  ConversationIndex::Turn turn(std::string_view body, std::string_view answer = {},
                               Route route = Route::chat_completions) {
    const auto found = begin(body, route);
    EXPECT_TRUE(found) << body;
    end(found, answer);
    return *found;
  }
};

std::string chat(std::string_view messages, std::string_view more = {}) {
  return R"({"model":"m",)" + std::string(more) + R"("messages":[)" + std::string(messages) + "]}";
}
std::string says(std::string_view role, std::string_view text) {
  return R"({"role":")" + std::string(role) + R"(","content":")" + std::string(text) + "\"}";
}
std::string talk(const std::vector<std::string>& texts) {
  std::string all;
  for (std::size_t i = 0; i < texts.size(); ++i)
    all += (i == 0 ? "" : ",") + says(i % 2 == 0 ? "user" : "assistant", texts[i]);
  return chat(all);
}
std::string completion(std::string_view prompt) {
  return R"({"model":"m","prompt":")" + std::string(prompt) + "\"}";
}

TEST(ConversationIndex, TheNextTurnContainsTheLastPrompt) {
  Known known;
  const auto first = known.turn(talk({"hello"}), "Good day");
  const auto second = known.turn(talk({"hello", "Good day", "and now"}), "Now this");
  const auto third = known.turn(talk({"hello", "Good day", "and now", "Now this", "more"}));
  EXPECT_EQ(first.how, How::started);
  EXPECT_EQ(second.how, How::continued);
  EXPECT_EQ(third.how, How::continued);
  EXPECT_EQ(first.session, second.session);
  EXPECT_EQ(first.session, third.session);
}

TEST(ConversationIndex, AnAnswerWrittenAnewIsStillTheSameConversation) {
  Known known;
  const auto first = known.turn(talk({"hello"}), "Good day, what can I do for you");
  const auto second = known.turn(talk({"hello", "<p>Entirely different</p>", "and now"}),
                                 "this answer is known to be ours");
  EXPECT_EQ(second.session, first.session);
  // An earlier one, too, if the latest is as it was given.
  const auto third = known.turn(
      talk({"hello", "(dropped)", "and now", "This answer is known to be ours.", "more"}));
  EXPECT_EQ(third.session, first.session);
}

TEST(ConversationIndex, ScopesNeverMeet) {
  Known known;
  const auto first = known.turn(talk({"hello"}), "Good day");
  known.scope = 2;
  EXPECT_NE(known.turn(talk({"hello", "Good day", "b"})).session, first.session);
}

TEST(ConversationIndex, EqualFirstPromptsAreTwoConversationsToldApartByTheirAnswers) {
  Known known;
  const auto a = known.turn(talk({"hello"}), "Good day to you all");
  const auto b = known.turn(talk({"hello"}), "Welcome to the show");
  EXPECT_NE(a.session, b.session);
  EXPECT_EQ(known.turn(talk({"hello", "Good day to you all", "x"})).session, a.session);
  EXPECT_EQ(known.turn(talk({"hello", "Welcome to the show", "x"})).session, b.session);
}

TEST(ConversationIndex, WhereNothingTellsEqualPromptsApartATurnStartsAnew) {
  Known known;
  const auto a = known.turn(talk({"hello"}));
  const auto b = known.turn(talk({"hello"}));
  const auto next = known.turn(talk({"hello", "x", "y"}));
  EXPECT_NE(next.session, a.session);
  EXPECT_NE(next.session, b.session);
  EXPECT_EQ(known.index.counters().ambiguous, 1U);
}

TEST(ConversationIndex, APromptThatWasNeverAnsweredIsTriedAgain) {
  Known known;
  const auto a = known.begin(talk({"hello"}));
  known.index.end(*a, false, {}, known.now);
  const auto b = known.turn(talk({"hello"}));
  EXPECT_EQ(b.session, a->session);
  EXPECT_EQ(b.how, How::repeated);
}

TEST(ConversationIndex, AnUnansweredPromptMayBeFollowedByAnother) {
  Known known;
  const auto a = known.begin(talk({"hello"}));
  known.index.end(*a, false, {}, known.now);
  EXPECT_EQ(known.turn(chat(says("user", "hello") + "," + says("user", "there?"))).session,
            a->session);
  const auto b = known.turn(talk({"other"}), "An answer");
  EXPECT_NE(known.turn(chat(says("user", "other") + "," + says("user", "there?"))).session,
            b.session)
      << "an answered one goes on behind its answer";
}

TEST(ConversationIndex, ParallelAttemptsAreConversationsBesideEachOther) {
  Known known;
  const auto a = known.begin(talk({"hello"}));
  const auto b = known.begin(talk({"hello"}));
  EXPECT_NE(a->session, b->session);
  known.end(a, "the first of them said this");
  known.end(b, "the second said that");
  EXPECT_EQ(known.turn(talk({"hello", "The second said that!", "x"})).session, b->session);
  EXPECT_EQ(known.turn(talk({"hello", "The first of them said this!", "x"})).session, a->session);
}

TEST(ConversationIndex, ALaterTurnAgainIsTheSameConversation) {
  Known known;
  const auto first = known.turn(talk({"a"}), "b");
  known.turn(talk({"a", "b", "c"}), "d");
  const auto again = known.turn(talk({"a", "b", "c"}), "e");
  EXPECT_EQ(again.session, first.session);
  EXPECT_EQ(again.how, How::repeated);
  EXPECT_EQ(known.turn(talk({"a", "b", "c", "e", "f"})).session, first.session);
}

TEST(ConversationIndex, ExamplesInAPromptAreNoEarlierTurns) {
  Known known;
  const auto first = known.turn(talk({"example", "answer", "question"}), "d");
  EXPECT_NE(known.turn(talk({"example", "answer", "question"}), "d").session, first.session);
}

TEST(ConversationIndex, AnEditedHistoryIsABranchWithAParent) {
  Known known;
  const auto first = known.turn(talk({"a"}), "b");
  known.turn(talk({"a", "b", "c"}), "d");
  const auto edited = known.turn(talk({"a", "b", "instead"}));
  EXPECT_EQ(edited.how, How::branched);
  EXPECT_NE(edited.session, first.session);
  EXPECT_EQ(edited.parent, first.session);
}

TEST(ConversationIndex, ASharedSystemPromptMakesNoSession) {
  Known known;
  const std::string system = says("system", std::string(5000, 's'));
  EXPECT_FALSE(known.begin(chat(system)));  // only instructs: no conversation
  std::vector<SessionKey> seen;
  for (int i = 0; i < 8; ++i) {
    const auto turn = known.turn(chat(system + "," + says("user", "q" + std::to_string(i))));
    EXPECT_EQ(turn.how, How::started);
    for (const SessionKey other : seen) EXPECT_NE(turn.session, other);
    seen.push_back(turn.session);
  }
}

TEST(ConversationIndex, ToolsThatChangeDoNotEndAConversation) {
  Known known;
  const auto first =
      known.turn(chat(says("user", "a"), R"("tools":[{"x":1}],)"), "an answer of ours");
  const auto next = known.turn(chat(
      says("user", "a") + "," + says("assistant", "an answer of ours") + "," + says("user", "c"),
      R"("tools":[{"x":1},{"y":2}],)"));
  EXPECT_EQ(next.session, first.session);
}

TEST(ConversationIndex, AHistoryWithoutItsBeginningIsKnownByItsLastMessageAndAnswer) {
  Known known;
  known.turn(talk({"a", "b", "c"}), "d");
  const auto before = known.turn(talk({"a", "b", "c", "d", "e"}),
                                 "an answer that is long enough to be told from others");
  const auto trimmed = known.turn(
      talk({"e", "An answer that is long enough to be told from others.", "f"}), "short");
  EXPECT_EQ(trimmed.session, before.session);
  EXPECT_NE(known.turn(talk({"f", "short", "g"})).session, before.session) << "anybody's";
}

TEST(ConversationIndex, TheSameLastMessageWithAnotherAnswerIsSomebodyElses) {
  Known known;
  const std::string answer = "an answer that is long enough to be told from others";
  const auto one = known.turn(talk({"x", "y", "go on"}), answer);
  EXPECT_NE(known.turn(talk({"p", "q", "go on", "another that is quite as long as the first", "r"}))
                .session,
            one.session);
  const auto two = known.turn(talk({"v", "w", "go on"}), answer);
  const auto which = known.turn(talk({"go on", answer, "more"}));
  EXPECT_NE(which.session, one.session);
  EXPECT_NE(which.session, two.session);
}

TEST(ConversationIndex, TextsThatGrow) {
  Known known;
  for (const std::size_t size : {200U, 1023U, 1024U, 1025U, 5000U}) {
    const std::string prompt = std::to_string(size) + std::string(size, 'p');
    const auto first = known.turn(completion(prompt), " the answer to it", Route::completions);
    const auto next =
        known.turn(completion(prompt + " The answer to it.\\nUser: go on"), {}, Route::completions);
    EXPECT_EQ(next.session, first.session) << size;
    EXPECT_EQ(next.how, How::continued) << size;
    EXPECT_NE(known.turn(completion(prompt + " Something else"), {}, Route::completions).session,
              first.session)
        << size;
  }
}

TEST(ConversationIndex, TokenIdsThatGrow) {
  Known known;
  std::string ids = "[1";
  for (int i = 0; i < 600; ++i) ids += ", " + std::to_string(i);
  const auto body = [](const std::string& list) {
    return R"({"model":"m","prompt":)" + list + "]}";
  };
  const auto first = known.turn(body(ids), {}, Route::completions);
  EXPECT_NE(known.turn(body(ids + "7, 8"), {}, Route::completions).session, first.session)
      << "another last token";
  EXPECT_EQ(known.turn(body(ids + ", 7, 8"), {}, Route::completions).session, first.session);
}

TEST(ConversationIndex, HoldsNoMoreThanItsLimit) {
  Known known;
  for (int i = 0; i < 9; ++i) known.turn(talk({"q" + std::to_string(i)}), "an answer");
  EXPECT_EQ(known.index.size(), 8U);
  EXPECT_EQ(known.index.counters().forgotten, 1U);
  EXPECT_EQ(known.turn(talk({"q0", "an answer", "more"})).how, How::started);  // forgets q1
  EXPECT_EQ(known.turn(talk({"q2", "an answer", "more"})).how, How::continued);
}

TEST(ConversationIndex, WhatRunsIsNeverForgotten) {
  Known known;
  std::vector<std::optional<ConversationIndex::Turn>> running;
  for (int i = 0; i < 8; ++i) running.push_back(known.begin(talk({"q" + std::to_string(i)})));
  EXPECT_FALSE(known.begin(talk({"one more"})));
  EXPECT_EQ(known.index.counters().full, 1U);
  known.end(running[3], "an answer");
  EXPECT_TRUE(known.begin(talk({"one more"})));
  for (int i = 0; i < 8; ++i) {
    if (i != 3) known.end(running[static_cast<std::size_t>(i)], "an answer");
  }
  EXPECT_EQ(known.turn(talk({"q0", "an answer", "more"})).session, running[0]->session);
}

TEST(ConversationIndex, TheIdleAreForgotten) {
  Known known;
  known.turn(talk({"a"}), "b");
  known.now += std::chrono::minutes(59);
  EXPECT_EQ(known.turn(talk({"a", "b", "c"}), "d").how, How::continued);
  known.now += std::chrono::minutes(60);
  EXPECT_EQ(known.turn(talk({"a", "b", "c", "d", "e"})).how, How::started);
  EXPECT_EQ(known.index.size(), 1U);
}

TEST(ConversationIndex, DoubtsLessWhereConversationsGoOn) {
  Known known;
  EXPECT_TRUE(known.turn(talk({"one shot"})).doubtful);
  for (int i = 0; i < 20; ++i) {
    const std::string text = "q" + std::to_string(i);
    known.turn(talk({text}), "an answer");
    EXPECT_FALSE(known.turn(talk({text, "an answer", "more"}), "another").doubtful);
  }
  EXPECT_FALSE(known.turn(talk({"new"})).doubtful);
  for (int i = 0; i < 40; ++i) known.turn(talk({"shot" + std::to_string(i)}));
  EXPECT_TRUE(known.turn(talk({"newer"})).doubtful);
}

// Few words, so that everything that can meet does: equal prompts, branches, retries, several at once, more than there is room for.
TEST(ConversationIndex, ItsBooksAreRightWhateverComes) {
  const std::vector<std::string> words = {"a", "b", "an answer that is long enough to tell",
                                          "an answer"};
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    Known known;
    std::vector<std::optional<ConversationIndex::Turn>> running;
    for (int i = 0; i < 1000; ++i) {
      if (!running.empty() && random.uniform() < 0.5) {
        const std::size_t which = random.next() % running.size();
        AnswerSign sign;
        sign.take(words[random.next() % words.size()]);
        known.index.end(*running[which], random.uniform() < 0.8, sign, known.now);
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(which));
      } else {
        std::vector<std::string> texts;
        for (std::uint64_t n = 1 + random.next() % 5; n > 0; --n)
          texts.push_back(words[random.next() % words.size()]);
        const bool text = random.uniform() < 0.3;
        std::string all;
        for (const std::string& part : texts)
          all += part + std::string(random.next() % 3 * 500, ' ');
        auto turn =
            text ? known.begin(completion(all), Route::completions) : known.begin(talk(texts));
        if (turn) running.push_back(std::move(turn));
      }
      if (random.uniform() < 0.01) known.now += std::chrono::minutes(50);
      ASSERT_EQ(known.index.broken_invariant(), "") << "seed " << seed << ", step " << i;
    }
    EXPECT_GT(known.index.counters().forgotten, 0U);
    for (const auto& turn : running) known.end(turn, "x");
    EXPECT_EQ(known.index.broken_invariant(), "");
  }
}

}  // namespace
}  // namespace turnpike::openai
