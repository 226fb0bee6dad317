#include "sim/workload.h"

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::sim {
namespace {

TEST(Workload, NamesAreUniqueAndFound) {
  std::set<std::string> names;
  for (const Workload& workload : workloads()) {
    EXPECT_TRUE(names.insert(workload.name).second) << workload.name;
    EXPECT_EQ(find_workload(workload.name), &workload);
    EXPECT_NE(workload.concurrency > 0, workload.rate > 0) << workload.name;
    EXPECT_TRUE(workload.sessions > 0 || workload.duration > Duration(0) ||
                !workload.trace_prefix.empty())
        << workload.name;
  }
  EXPECT_EQ(find_workload("nothing"), nullptr);
}

TEST(Workload, KthenaC40IsExact) {
  const Workload* const workload = find_workload("kthena-c40");
  ASSERT_NE(workload, nullptr);
  EXPECT_EQ(workload->concurrency, 40);
  EXPECT_EQ(workload->sessions, 120);
  const Session session = make_session(*workload, 5, 17);
  ASSERT_EQ(session.turns.size(), 10);
  for (std::size_t k = 0; k < 10; ++k) {
    EXPECT_EQ(session.prompt_tokens(k), TokenCount(2000 + 2152 * static_cast<std::int64_t>(k)));
    EXPECT_EQ(session.turns[k].output, TokenCount(150));
    EXPECT_EQ(session.turns[k].gap, Duration(0));
  }
}

TEST(Workload, SameSeedSameSession) {
  const Workload& workload = *find_workload("mixed");
  const Session a = make_session(workload, 3, 9);
  const Session b = make_session(workload, 3, 9);
  ASSERT_EQ(a.turns.size(), b.turns.size());
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.turns.back().appended, b.turns.back().appended);
  EXPECT_NE(a.text, make_session(workload, 4, 9).text);
  EXPECT_NE(a.text, make_session(workload, 3, 10).text);
}

TEST(Workload, AgentsHaveTheStatedMediansAndBounds) {
  const Workload& workload = *find_workload("agents-closed");
  std::vector<double> turns;
  std::vector<double> firsts;
  std::vector<double> appended;
  std::vector<double> outputs;
  std::vector<double> gaps;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const Session session = make_session(workload, 1, i);
    EXPECT_GE(session.turns.size(), 2);
    EXPECT_LE(session.turns.size(), 80);
    turns.push_back(static_cast<double>(session.turns.size()));
    firsts.push_back(session.turns[0].appended.as_double());
    EXPECT_GT(session.turns[0].appended, TokenCount(3000));
    appended.push_back(session.turns[1].appended.as_double());
    outputs.push_back(session.turns[1].output.as_double());
    gaps.push_back(to_seconds(session.turns[1].gap));
    EXPECT_GE(session.turns[1].appended, TokenCount(50));
    EXPECT_GE(session.turns[1].output, TokenCount(16));
  }
  const auto median = [](std::vector<double>& values) {
    std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
    return values[values.size() / 2];
  };
  EXPECT_NEAR(median(turns), 14, 1);
  EXPECT_NEAR(median(firsts), 10'000, 400);
  EXPECT_NEAR(median(appended), 800, 60);
  EXPECT_NEAR(median(outputs), 180, 12);
  EXPECT_NEAR(median(gaps), 0.8, 0.08);
}

TEST(Workload, ChatsHaveOneToTwelveTurns) {
  const Workload& workload = *find_workload("chat-heavy");
  std::size_t least = 99;
  std::size_t most = 0;
  int agents = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const Session session = make_session(workload, 1, i);
    if (session.shape == "agent") {
      ++agents;
      continue;
    }
    least = std::min(least, session.turns.size());
    most = std::max(most, session.turns.size());
  }
  EXPECT_EQ(least, 1);
  EXPECT_EQ(most, 12);
  EXPECT_NEAR(agents, 200, 50);
}

TEST(Workload, ChainsShareTheSystemPromptAndGrow) {
  const Workload& workload = *find_workload("agents-closed");
  const Session a = make_session(workload, 1, 0);
  const Session b = make_session(workload, 1, 1);
  std::vector<engine::BlockHash> chain_a;
  std::vector<engine::BlockHash> chain_b;
  a.extend_chain(chain_a, a.prompt_tokens(0));
  b.extend_chain(chain_b, b.prompt_tokens(0));
  const std::size_t common = 3000 / 16;
  EXPECT_TRUE(std::equal(chain_a.begin(), chain_a.begin() + common, chain_b.begin()));
  EXPECT_NE(chain_a[common], chain_b[common]);

  std::vector<engine::BlockHash> longer;
  a.extend_chain(longer, a.prompt_tokens(1));
  EXPECT_TRUE(std::equal(chain_a.begin(), chain_a.end(), longer.begin()));
  a.extend_chain(chain_a, a.prompt_tokens(1));
  EXPECT_EQ(chain_a, longer);
}

TEST(Arrivals, HaveTheRate) {
  Arrivals arrivals(*find_workload("mixed"), 1);
  Duration last{};
  for (int i = 0; i < 20'000; ++i) {
    const Duration next = arrivals.next();
    EXPECT_GE(next, last);
    last = next;
  }
  EXPECT_NEAR(to_seconds(last), 10'000, 300);
}

TEST(Arrivals, DoubleInABurst) {
  Arrivals arrivals(*find_workload("burst"), 1);
  int before = 0;
  int within = 0;
  for (Duration t = arrivals.next(); t < std::chrono::seconds(1200); t = arrivals.next()) {
    ++(t < std::chrono::seconds(600) ? before : within);
  }
  EXPECT_NEAR(before, 720, 90);
  EXPECT_NEAR(within, 1440, 130);
}

}  // namespace
}  // namespace turnpike::sim
