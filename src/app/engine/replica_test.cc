#include "app/engine/replica.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::app {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

class Watcher final : public Generation::Listener {
 public:
  void on_progress() override { ++calls; }
  int calls = 0;
};

class Times final : public Replica::Observer {
 public:
  void on_first_token(Duration t) override { first.push_back(t / milliseconds(1)); }
  void on_finished(Duration t) override { whole.push_back(t / milliseconds(1)); }
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> whole;
};

engine::EngineParams one_ms_a_token() {
  engine::Profile profile;
  profile.per_token_ms = 1;
  return {.profile = profile, .kv_tokens = TokenCount(1600)};
}

engine::SequenceSpec spec(std::int64_t prompt, std::int64_t output) {
  return {.id = {},
          .prompt_tokens = TokenCount(prompt),
          .output_tokens = TokenCount(output),
          .chain = {}};
}

TimePoint at(int ms) {
  return TimePoint(milliseconds(ms));
}

class ReplicaTest : public ::testing::Test {
 protected:
  Times times_;
  Replica replica_{one_ms_a_token(), times_};
  Watcher watcher_;
};

TEST_F(ReplicaTest, TokensComeWhenTheirStepsEnd) {
  Generation generation(replica_, watcher_);
  ASSERT_TRUE(replica_.start(generation, spec(10, 3), at(100)));
  EXPECT_EQ(replica_.next_deadline(), at(110));
  replica_.advance(at(109));
  EXPECT_EQ(generation.tokens(), 0);
  replica_.advance(at(110));
  EXPECT_EQ(generation.tokens(), 1);
  EXPECT_EQ(watcher_.calls, 1);
  replica_.advance(at(112));
  EXPECT_TRUE(generation.finished());
  EXPECT_EQ(replica_.next_deadline(), std::nullopt);
  EXPECT_THAT(times_.first, ElementsAre(10));
  EXPECT_THAT(times_.whole, ElementsAre(12));
}

TEST_F(ReplicaTest, LateCallsDoNotStretchTheModelsTime) {
  Generation generation(replica_, watcher_);
  ASSERT_TRUE(replica_.start(generation, spec(10, 5), at(0)));
  replica_.advance(at(500));
  EXPECT_TRUE(generation.finished());
  EXPECT_EQ(watcher_.calls, 5);
  EXPECT_THAT(times_.whole, ElementsAre(14));
}

TEST_F(ReplicaTest, AnArrivalIsServedAfterTheStepsThatEndedBeforeIt) {
  Generation first(replica_, watcher_);
  Generation second(replica_, watcher_);
  ASSERT_TRUE(replica_.start(first, spec(10, 2), at(0)));
  ASSERT_TRUE(replica_.start(second, spec(20, 1), at(50)));
  EXPECT_TRUE(first.finished());
  EXPECT_EQ(replica_.next_deadline(), at(70));
}

TEST_F(ReplicaTest, LeavingTakesItOutInEveryState) {
  auto running = std::make_unique<Generation>(replica_, watcher_);
  auto waiting = std::make_unique<Generation>(replica_, watcher_);
  Generation unstarted(replica_, watcher_);
  ASSERT_TRUE(replica_.start(*running, spec(1000, 5), at(0)));
  ASSERT_TRUE(replica_.start(*waiting, spec(1000, 5), at(0)));
  waiting.reset();
  EXPECT_EQ(replica_.engine().gauges().waiting, 0);
  running.reset();
  EXPECT_EQ(replica_.engine().gauges().running, 0);
  EXPECT_EQ(replica_.engine().gauges().free_blocks, 100);
  replica_.advance(at(5000));
  EXPECT_EQ(watcher_.calls, 0);
  EXPECT_EQ(replica_.next_deadline(), std::nullopt);
}

TEST_F(ReplicaTest, WhatNeverFitsIsRefused) {
  Generation generation(replica_, watcher_);
  EXPECT_FALSE(replica_.start(generation, spec(1600, 1), at(0)));
  EXPECT_EQ(replica_.next_deadline(), std::nullopt);
}

}  // namespace
}  // namespace turnpike::app
