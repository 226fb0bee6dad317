#include "app/load/conversation.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "app/engine/prompt.h"

namespace turnpike::app {
namespace {

// The stand-in engine must count the tokens that the workload prescribes, turn for turn, and find the turn before.
void expect_exact(const sim::Session& session) {
  Conversation conversation(session, "m");
  std::vector<engine::BlockHash> before;
  for (std::size_t turn = 0; turn < session.turns.size(); ++turn) {
    conversation.ask(turn);
    const auto request = parse_generation(Api::chat, conversation.request_body(turn));
    ASSERT_TRUE(request.has_value()) << request.error().message;
    EXPECT_EQ(prompt_tokens(*request), session.prompt_tokens(turn)) << turn;
    EXPECT_EQ(request->max_tokens, session.turns[turn].output.value());
    EXPECT_TRUE(request->stream);
    EXPECT_TRUE(request->include_usage);
    const std::string answer = answer_text(request->rendered, session.turns[turn].output);
    const auto chain = block_chain(request->rendered, answer);
    EXPECT_TRUE(before.size() <= chain.size() &&
                std::equal(before.begin(), before.end(), chain.begin()))
        << turn;
    before = chain;
    conversation.answered(answer);
  }
}

TEST(Conversation, KthenaC40IsExactToTheToken) {
  expect_exact(sim::make_session(*sim::find_workload("kthena-c40"), 1, 3));
}

TEST(Conversation, AgentsAreExactToTheToken) {
  expect_exact(sim::make_session(*sim::find_workload("agents-small"), 1, 3));
}

TEST(Conversation, SessionsOfAKindShareTheirSystemPrompt) {
  const sim::Workload& workload = *sim::find_workload("agents-small");
  const auto rendered = [&](std::uint64_t index) {
    const sim::Session session = sim::make_session(workload, 1, index);
    Conversation conversation(session, "m");
    conversation.ask(0);
    return parse_generation(Api::chat, conversation.request_body(0))->rendered;
  };
  const std::string a = rendered(0);
  const std::string b = rendered(1);
  EXPECT_EQ(a.substr(0, 12'000), b.substr(0, 12'000));
  EXPECT_NE(a.substr(12'000, 400), b.substr(12'000, 400));
}

// Pieces of the same name are the same text in every session, wherever a turn begins; what the engine answered is left out.
TEST(Conversation, ARecordedPromptIsMadeOfItsPieces) {
  constexpr std::int64_t kPiece = 32;
  const auto rendered = [](std::uint64_t text, std::vector<sim::PieceRun> pieces,
                           std::int64_t prompt) {
    sim::Session session;
    session.text = text;
    session.piece_tokens = TokenCount(kPiece);
    session.piece_salt = 5;
    session.turns = {{.appended = TokenCount(10), .output = TokenCount(7), .pieces = {{90, 1}}},
                     {.appended = TokenCount(prompt - 17),
                      .output = TokenCount(9),
                      .pieces = std::move(pieces)}};
    Conversation conversation(session, "m");
    conversation.ask(0);
    conversation.answered("an answer");
    conversation.ask(1);
    const auto request = parse_generation(Api::chat, conversation.request_body(1));
    EXPECT_EQ(prompt_tokens(*request), TokenCount(prompt));
    EXPECT_EQ(request->max_tokens, 9);
    return block_chain(request->rendered, "");
  };
  const auto common = [](const auto& a, const auto& b) {
    return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  };
  const auto a = rendered(1, {{10, 3}, {70, 1}}, 140);
  // A message's role takes a token, so that a piece's last token is in the next block.
  EXPECT_EQ(common(a, rendered(2, {{10, 3}, {80, 1}}, 140)), 3 * kPiece / engine::kBlockTokens);
  EXPECT_EQ(common(a, rendered(2, {{11, 3}}, 140)), 0);
  // The last of its pieces reaches into the answer.
  EXPECT_EQ(common(a, rendered(2, {{10, 3}}, 90)), 88 / engine::kBlockTokens);
  // What no piece names is the session's own.
  EXPECT_EQ(common(rendered(1, {{10, 1}}, 140), rendered(2, {{10, 1}}, 140)), 2);
  EXPECT_EQ(common(rendered(1, {{10, 1}}, 140), rendered(1, {{10, 1}}, 140)), 8);
}

TEST(Conversation, EscapedAnswersGoBackAsTheyCame) {
  const sim::Session session = sim::make_session(*sim::find_workload("kthena-c40"), 1, 0);
  Conversation conversation(session, "a\"b");
  conversation.ask(0);
  conversation.answered(R"(say \"hi\"\n\u00e9)");
  conversation.ask(1);
  const auto body = nlohmann::json::parse(conversation.request_body(1));
  EXPECT_EQ(body["model"], "a\"b");
  EXPECT_EQ(body["messages"][1]["content"], "say \"hi\"\n\u00e9");
}

TEST(Filler, IsAsciiWithoutEscapes) {
  const std::string text = filler(1, TokenCount(100));
  EXPECT_EQ(text.size(), 400);
  for (const char c : text) EXPECT_TRUE(c == ' ' || (c >= 'a' && c <= 'z'));
  EXPECT_NE(text, filler(2, TokenCount(100)));
}

}  // namespace
}  // namespace turnpike::app
