#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

namespace turnpike::core {
namespace {

using Wish = PoolUnderTest::Wish;

TEST(Explanation, SaysWhoWasPassedOverAndWhoPassed) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.turn(100, 7);  // session 7 has completed lately
  pool.submit(1);
  pool.submit(2, 8);
  pool.submit(3, 9);
  pool.submit(4, 7);  // boosted
  pool.settle(1);
  const Explanation boosted = pool.dispatch(4).explanation;
  EXPECT_EQ(pool.dispatch(4).why, Why::boosted);
  EXPECT_EQ(boosted.ahead, 2U);
  EXPECT_EQ(boosted.overtook, 2U);
  EXPECT_EQ(boosted.overtaken, 0U);
  pool.settle(4);
  const Explanation passed = pool.dispatch(2).explanation;
  EXPECT_EQ(passed.ahead, 0U);
  EXPECT_EQ(passed.overtook, 0U);
  EXPECT_EQ(passed.overtaken, 1U);
}

TEST(Explanation, CountsOnlyThoseWhoWaitForTheSameModel) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1, {1});
  pool.endpoint(2, {2});
  pool.submit(1, Wish{.model = 1});
  pool.submit(2, Wish{.model = 1});
  pool.submit(3, Wish{.model = 2});
  EXPECT_EQ(pool.dispatch(3).explanation.overtook, 0U);
  EXPECT_EQ(pool.dispatch(3).explanation.ahead, 0U);
}

TEST(Explanation, NamesTheRunnerUpAndBothScores) {
  PoolParams params = with_limit(4);
  params.placement.scorers = {{Scorer::least_request, 1.0}};
  PoolUnderTest pool(params);
  for (const unsigned id : {1U, 2U, 3U}) pool.endpoint(id);
  pool.pass(minutes(1));  // a fresh endpoint's score is scaled down
  for (const unsigned id : {1U, 2U, 3U, 4U, 5U}) pool.submit(id);
  const Dispatch& last = pool.dispatch(5);
  const Weighing& weighing = last.explanation.weighing;
  EXPECT_EQ(weighing.candidates, 3U);
  EXPECT_DOUBLE_EQ(weighing.score, 1.0);
  EXPECT_DOUBLE_EQ(weighing.runner_up_score, 1.0);  // two had one request, one had two
  EXPECT_FALSE(weighing.runner_up.is_none());
  EXPECT_NE(weighing.runner_up, last.endpoint);
  pool.submit(6);
  EXPECT_DOUBLE_EQ(pool.dispatch(6).explanation.weighing.score, 1.0);
  EXPECT_DOUBLE_EQ(pool.dispatch(6).explanation.weighing.runner_up_score, 0.0);
}

TEST(Explanation, HasNoRunnerUpWithoutAChoice) {
  PoolUnderTest pool(with_limit(4));
  pool.endpoint(1);
  pool.submit(1);
  const Weighing& weighing = pool.dispatch(1).explanation.weighing;
  EXPECT_EQ(weighing.candidates, 1U);
  EXPECT_TRUE(weighing.runner_up.is_none());
}

TEST(Explanation, ARetryThatGoesOnAtOnceHasNoPlaceInTheLine) {
  PoolUnderTest pool(with_limit(2));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1);
  pool.submit(2);
  pool.submit(3);
  pool.failed(3, FailureKind::died);
  EXPECT_EQ(pool.dispatch(3).attempt, 2);
  EXPECT_EQ(pool.dispatch(3).explanation.ahead, 0U);
  EXPECT_EQ(pool.dispatch(3).explanation.overtook, 0U);
}

TEST(Explanation, OfResidentSetTellsNeedRoomAndCost) {
  PoolUnderTest pool(*preset("resident-set"));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1, Wish{.session = 1, .prompt = 1000});
  const Explanation first = pool.dispatch(1).explanation;
  EXPECT_EQ(first.weighing.candidates, 2U);
  EXPECT_FALSE(first.weighing.runner_up.is_none());
  EXPECT_LE(first.weighing.score, first.weighing.runner_up_score);
  EXPECT_EQ(first.uncached, TokenCount(1000));
  ASSERT_TRUE(first.need && first.room);
  EXPECT_EQ(*first.need, TokenCount(1000 + 512));  // with the reserve
  EXPECT_EQ(*first.room, TokenCount(300'000));     // nothing is in the account yet

  pool.submit(2, Wish{.session = 2, .prompt = 1000});
  const Explanation second = pool.dispatch(2).explanation;
  EXPECT_LT(second.weighing.score, second.weighing.runner_up_score);  // the other one has a backlog

  pool.settle(1);
  pool.submit(3, Wish{.session = 1, .prompt = 1200});
  EXPECT_EQ(pool.dispatch(3).why, Why::resident);
  EXPECT_EQ(pool.dispatch(3).explanation.weighing.candidates, 0U);  // it had its place
  EXPECT_LT(*pool.dispatch(3).explanation.room, TokenCount(300'000));
}

}  // namespace
}  // namespace turnpike::core
