#include "sim/trace_journal.h"

#include <gtest/gtest.h>

#include "core/journal/journal_writer.h"
#include "sim/simulation.h"
#include "sim/trace_parts.h"

namespace turnpike::sim {
namespace {

using std::chrono::seconds;

TimePoint at(int s) {
  return TimePoint(seconds(s));
}

class TraceJournal : public testing::Test {
 protected:
  TraceJournal() { writer_.begin_segment(at(100), 0); }

  void submitted(std::uint64_t id, int when, std::uint64_t session,
                 std::vector<std::uint64_t> blocks) {
    core::Submission submission;
    submission.id = RequestId(id);
    submission.model = ModelId(1);
    if (session != 0) submission.session = SessionKey(session);
    submission.prompt_tokens = TokenCount(999);
    submission.blocks = std::move(blocks);
    writer_.record<core::journal::Submitted>(1, at(when), submission);
  }
  void settled(std::uint64_t id, int when, std::int64_t prompt, std::int64_t output) {
    core::Settlement settlement;
    settlement.usage = {.prompt_tokens = TokenCount(prompt),
                        .cached_tokens = {},
                        .output_tokens = TokenCount(output)};
    writer_.record<core::journal::Settled>(1, at(when), RequestId(id), settlement);
  }
  Expected<JournalTrace> read() { return journal_trace({writer_.bytes()}); }

  core::JournalWriter writer_{7};
};

TEST_F(TraceJournal, SessionsComeBackWithTheirTimesAndSizes) {
  submitted(1, 100, 5, {11, 12});
  submitted(2, 103, 0, {21});
  settled(1, 104, 640, 32);
  submitted(3, 110, 5, {11, 12, 13});
  settled(2, 111, 384, 10);
  settled(3, 112, 896, 64);
  submitted(4, 113, 5, {11, 12, 13, 14});  // never answered
  const auto read_back = read();
  ASSERT_TRUE(read_back) << read_back.error().message;
  EXPECT_EQ(read_back->left_out, 1U);
  const Trace& trace = read_back->trace;
  ASSERT_EQ(trace.sessions.size(), 2U);
  EXPECT_EQ(trace.begins, (std::vector<Duration>{seconds(0), seconds(3)}));
  const Session& session = trace.sessions[0];
  // 1920 tokens in 6 blocks and three halves.
  EXPECT_EQ(session.piece_tokens, TokenCount(256));
  ASSERT_EQ(session.turns.size(), 2U);
  EXPECT_EQ(session.prompt_tokens(0), TokenCount(640));
  EXPECT_EQ(session.prompt_tokens(1), TokenCount(896));
  EXPECT_EQ(session.turns[0].output, TokenCount(32));
  EXPECT_EQ(session.turns[1].gap, seconds(6));
  EXPECT_EQ(session.turns[1].due, seconds(10));
  EXPECT_EQ(session.turns[1].kept, TokenCount(512));
  EXPECT_TRUE(session.identified);
  EXPECT_FALSE(trace.sessions[1].identified);
}

TEST_F(TraceJournal, IsPlayed) {
  submitted(1, 100, 5, {11, 12});
  settled(1, 104, 640, 32);
  submitted(2, 110, 5, {11, 12, 13});
  settled(2, 112, 896, 64);
  const auto read_back = read();
  ASSERT_TRUE(read_back) << read_back.error().message;
  SimulationParams params;
  params.workload.trace = std::make_shared<Trace>(read_back->trace);
  params.workload.rate = 1;
  params.workload.sessions = 1;
  params.workload.replicas = 1;
  params.policy = *core::preset("resident-set");
  const RunResult result = Simulation(params).run();
  EXPECT_EQ(result.requests.finished, 2U);
  EXPECT_EQ(result.prompt_tokens, 1536);
  EXPECT_EQ(result.output_tokens, 96);
  EXPECT_GE(result.cached_tokens, 512);
}

TEST_F(TraceJournal, OneWithoutAnswersIsRefused) {
  submitted(1, 100, 5, {11, 12});
  const auto read_back = read();
  ASSERT_FALSE(read_back);
  EXPECT_EQ(read_back.error().message, "has no answered request");
}

TEST_F(TraceJournal, BrokenBytesAreAnErrorOrTheEnd) {
  EXPECT_FALSE(journal_trace({std::string_view("not a journal at all, by any means")}));
}

}  // namespace
}  // namespace turnpike::sim
