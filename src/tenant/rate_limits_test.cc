#include "tenant/rate_limits.h"

#include <gtest/gtest.h>

namespace turnpike::tenant {
namespace {

using std::chrono::seconds;

constexpr TenantKey kAnn(1);
constexpr ModelId kModel(1);
const TimePoint kStart = TimePoint(seconds(1000));

TEST(RateLimits, AMinutesWorthMayComeAtOnceAndThenEvenly) {
  RateLimits limits(10);
  const MinuteLimits six{.requests = 6};
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(limits.take(kAnn, kModel, six, TokenCount(0), kStart));
  const auto refused = limits.take(kAnn, kModel, six, TokenCount(0), kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->what, Limited::requests);
  EXPECT_EQ(refused->retry_after, seconds(10));
  EXPECT_TRUE(limits.take(kAnn, kModel, six, TokenCount(0), kStart + seconds(9)));
  EXPECT_FALSE(limits.take(kAnn, kModel, six, TokenCount(0), kStart + seconds(10)));
  EXPECT_TRUE(limits.take(kAnn, kModel, six, TokenCount(0), kStart + seconds(10)));
}

TEST(RateLimits, InputIsTakenByEstimateAndCorrectedAtTheEnd) {
  RateLimits limits(10);
  const MinuteLimits thousand{.input_tokens = 1000};
  EXPECT_FALSE(limits.take(kAnn, kModel, thousand, TokenCount(900), kStart));
  EXPECT_TRUE(limits.take(kAnn, kModel, thousand, TokenCount(200), kStart));
  limits.settle(kAnn, kModel, thousand, TokenCount(-800), TokenCount(0), kStart);  // it was 100
  EXPECT_FALSE(limits.take(kAnn, kModel, thousand, TokenCount(900), kStart));
  limits.settle(kAnn, kModel, thousand, TokenCount(1000), TokenCount(0), kStart);  // it was 1900
  const auto refused = limits.take(kAnn, kModel, thousand, TokenCount(100), kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->retry_after, seconds(66));
}

TEST(RateLimits, OutputIsKnownOnlyAfterwardsSoItMayGoBelowEmpty) {
  RateLimits limits(10);
  const MinuteLimits sixty{.output_tokens = 60};
  EXPECT_FALSE(limits.take(kAnn, kModel, sixty, TokenCount(5), kStart));
  limits.settle(kAnn, kModel, sixty, TokenCount(0), TokenCount(90), kStart);
  const auto refused = limits.take(kAnn, kModel, sixty, TokenCount(5), kStart);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->what, Limited::output_tokens);
  EXPECT_EQ(refused->retry_after, seconds(31));
  EXPECT_FALSE(limits.take(kAnn, kModel, sixty, TokenCount(5), kStart + seconds(31)));
}

TEST(RateLimits, APromptLargerThanAMinutesWorthGoesWhenTheBucketIsFull) {
  RateLimits limits(10);
  const MinuteLimits hundred{.input_tokens = 100};
  EXPECT_FALSE(limits.take(kAnn, kModel, hundred, TokenCount(250), kStart));
  EXPECT_TRUE(limits.take(kAnn, kModel, hundred, TokenCount(250), kStart + seconds(149)));
  EXPECT_FALSE(limits.take(kAnn, kModel, hundred, TokenCount(250), kStart + seconds(150)));
}

TEST(RateLimits, ARefusalTakesNothing) {
  RateLimits limits(10);
  const MinuteLimits both{.requests = 2, .input_tokens = 100};
  EXPECT_FALSE(limits.take(kAnn, kModel, both, TokenCount(60), kStart));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limits.take(kAnn, kModel, both, TokenCount(60), kStart));
  EXPECT_FALSE(limits.take(kAnn, kModel, both, TokenCount(40), kStart));
}

TEST(RateLimits, TenantsAndModelsHaveTheirOwn) {
  RateLimits limits(10);
  const MinuteLimits one{.requests = 1};
  EXPECT_FALSE(limits.take(kAnn, kModel, one, TokenCount(0), kStart));
  EXPECT_FALSE(limits.take(TenantKey(2), kModel, one, TokenCount(0), kStart));
  EXPECT_FALSE(limits.take(kAnn, ModelId(2), one, TokenCount(0), kStart));
  EXPECT_TRUE(limits.take(kAnn, kModel, one, TokenCount(0), kStart));
}

TEST(RateLimits, StandingsSayWhatRemains) {
  RateLimits limits(10);
  const MinuteLimits both{.requests = 10, .output_tokens = 600};
  auto standings = limits.standings(kAnn, kModel, both, kStart);
  ASSERT_EQ(standings.count, 2U);
  EXPECT_EQ(standings.of[0].remaining, 10);
  EXPECT_EQ(limits.take(kAnn, kModel, both, TokenCount(5), kStart), std::nullopt);
  limits.settle(kAnn, kModel, both, TokenCount(0), TokenCount(60), kStart);
  standings = limits.standings(kAnn, kModel, both, kStart);
  EXPECT_EQ(standings.of[0].remaining, 9);
  EXPECT_EQ(standings.of[0].full_in, seconds(6));
  EXPECT_EQ(standings.of[1].what, Limited::output_tokens);
  EXPECT_EQ(standings.of[1].remaining, 540);
}

TEST(RateLimits, TheOneUsedLongestAgoIsForgottenAtTheBound) {
  RateLimits limits(2);
  const MinuteLimits one{.requests = 1};
  EXPECT_FALSE(limits.take(kAnn, kModel, one, TokenCount(0), kStart));
  EXPECT_FALSE(limits.take(TenantKey(2), kModel, one, TokenCount(0), kStart));
  EXPECT_TRUE(limits.take(kAnn, kModel, one, TokenCount(0), kStart));  // used last
  EXPECT_FALSE(limits.take(TenantKey(3), kModel, one, TokenCount(0), kStart));
  EXPECT_EQ(limits.entries(), 2U);
  EXPECT_EQ(limits.forgotten(), 1U);
  EXPECT_TRUE(limits.take(kAnn, kModel, one, TokenCount(0), kStart));
  EXPECT_FALSE(limits.take(TenantKey(2), kModel, one, TokenCount(0), kStart));
}

}  // namespace
}  // namespace turnpike::tenant
