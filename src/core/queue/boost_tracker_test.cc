#include "core/queue/boost_tracker.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

constexpr TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}
constexpr SessionKey kA(1);
constexpr SessionKey kB(2);
constexpr SessionKey kC(3);

TEST(BoostTracker, KeepsTheMostRecentCompletions) {
  BoostTracker tracker({.max_sessions = 2});
  tracker.completed(kA, at(1));
  tracker.completed(kB, at(2));
  tracker.completed(kC, at(3));
  EXPECT_FALSE(tracker.recency(kA, at(3)));
  EXPECT_TRUE(tracker.recency(kB, at(3)));
  EXPECT_TRUE(tracker.recency(kC, at(3)));
  EXPECT_EQ(tracker.size(), 2U);
}

TEST(BoostTracker, CompletingAgainProtectsAndKeepsTheCount) {
  BoostTracker tracker({.max_sessions = 2});
  tracker.completed(kA, at(1));
  tracker.completed(kB, at(2));
  tracker.completed(kA, at(3));
  EXPECT_EQ(tracker.size(), 2U);
  tracker.completed(kC, at(4));
  EXPECT_TRUE(tracker.recency(kA, at(4)));
  EXPECT_FALSE(tracker.recency(kB, at(4)));
  EXPECT_EQ(tracker.size(), 2U);
}

TEST(BoostTracker, LookingDoesNotRefresh) {
  BoostTracker tracker({.max_sessions = 2});
  tracker.completed(kA, at(1));
  tracker.completed(kB, at(2));
  EXPECT_TRUE(tracker.recency(kA, at(2)));
  tracker.completed(kC, at(3));
  EXPECT_FALSE(tracker.recency(kA, at(3)));
}

TEST(BoostTracker, RecencyGrowsWithEveryCompletion) {
  BoostTracker tracker({});
  tracker.completed(kA, at(1));
  tracker.completed(kB, at(1));
  EXPECT_LT(*tracker.recency(kA, at(1)), *tracker.recency(kB, at(1)));
  tracker.completed(kA, at(1));
  EXPECT_GT(*tracker.recency(kA, at(1)), *tracker.recency(kB, at(1)));
}

TEST(BoostTracker, TtlZeroNeverExpires) {
  BoostTracker tracker({.ttl = Duration{0}});
  tracker.completed(kA, at(1));
  EXPECT_TRUE(tracker.recency(kA, at(1'000'000)));
}

TEST(BoostTracker, TheIdOfNothingIsNeverTracked) {
  BoostTracker tracker({});
  tracker.completed(SessionKey::none(), at(1));
  EXPECT_EQ(tracker.size(), 0U);
  EXPECT_FALSE(tracker.recency(SessionKey::none(), at(1)));
}

TEST(BoostTracker, AgedOnesAreSweptByLaterCompletions) {
  BoostTracker tracker({.ttl = std::chrono::seconds(60)});
  for (unsigned i = 0; i < 100; ++i) tracker.completed(SessionKey(i), at(1));
  tracker.completed(kA, at(100));
  EXPECT_EQ(tracker.size(), 1U);
}

TEST(BoostTracker, OneBusySessionDoesNotGrowIt) {
  BoostTracker tracker({.ttl = Duration{0}});
  tracker.completed(kB, at(0));
  for (int i = 1; i < 10'000; ++i) tracker.completed(kA, at(i));
  EXPECT_EQ(tracker.size(), 2U);
  EXPECT_TRUE(tracker.recency(kB, at(10'000)));
}

TEST(BoostTracker, AbsorbsAnotherAsIfItsCompletionsHadHappenedHere) {
  BoostTracker one({});
  BoostTracker other({});
  one.completed(kA, at(1));
  one.completed(kB, at(3));
  other.completed(kC, at(2));
  other.completed(kA, at(4));
  one.absorb(other, at(5));
  EXPECT_LT(*one.recency(kC, at(5)), *one.recency(kB, at(5)));
  EXPECT_LT(*one.recency(kB, at(5)), *one.recency(kA, at(5)));
  EXPECT_EQ(one.size(), 3U);
}

}  // namespace
}  // namespace turnpike::core
