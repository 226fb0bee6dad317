#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// The order session-boost, and the queue cases of the systems it descends from.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

PoolParams one_at_a_time(BoostedFirst among = BoostedFirst::completion) {
  PoolParams params = with_limit(1);
  params.order.boost.among = among;
  return params;
}

// Settles one running request after another; the order in which those that wait follow.
std::vector<unsigned> drain(PoolUnderTest& pool, unsigned running) {
  std::vector<unsigned> order;
  pool.forget();
  for (unsigned current = running; current != 0;) {
    pool.settle(current, Ending::cancelled);  // teaches the tracker nothing
    const std::vector<unsigned> went = pool.went();
    current = went.empty() ? 0 : went.front();
    order.insert(order.end(), went.begin(), went.end());
  }
  return order;
}

TEST(SessionBoost, ABoostedRequestPassesAnEarlierNormalOne) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2);
  pool.submit(3);
  pool.submit(4, 7);
  EXPECT_THAT(drain(pool, 2), ElementsAre(4, 3));
  EXPECT_EQ(pool.dispatch(4).why, Why::boosted);
  EXPECT_EQ(pool.dispatch(3).why, Why::cold);
}

TEST(SessionBoost, ThreeNormalOnesAreFirstComeFirstServed) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  for (unsigned id = 1; id <= 4; ++id) pool.submit(id, id);
  EXPECT_THAT(drain(pool, 1), ElementsAre(2, 3, 4));
}

TEST(SessionBoost, TheMostRecentlyCompletedSessionIsFirst) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.turn(2, 8);
  pool.submit(3);
  pool.submit(4, 7);
  pool.submit(5, 8);
  EXPECT_THAT(drain(pool, 3), ElementsAre(5, 4));
}

TEST(SessionBoost, FifoServesBoostedOnesInOrderOfArrival) {
  PoolUnderTest pool(one_at_a_time(BoostedFirst::fifo));
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.turn(2, 8);
  pool.submit(3);
  pool.submit(4, 7);
  pool.submit(5);
  pool.submit(6, 8);
  EXPECT_THAT(drain(pool, 3), ElementsAre(4, 6, 5));
}

TEST(SessionBoost, TwoSessionsAmongFourAreBoosted) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.turn(2, 8);
  pool.submit(3);
  pool.submit(4, 5);
  pool.submit(5, 6);
  pool.submit(6, 7);
  pool.submit(7, 8);
  EXPECT_THAT(drain(pool, 3), ElementsAre(7, 6, 4, 5));
}

TEST(SessionBoost, AnEmptyIdIsNeverBoosted) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.turn(1, 0);
  pool.turn(2, 0);
  EXPECT_EQ(pool.view().sessions_tracked, 0U);
  pool.submit(3);
  pool.submit(4, 9);
  pool.submit(5, 0);
  EXPECT_THAT(drain(pool, 3), ElementsAre(4, 5));
  EXPECT_EQ(pool.view().counters.boosts, 0U);
}

TEST(SessionBoost, LimitTwoLetsTwoGoAndTheThirdFollowsARelease) {
  PoolUnderTest pool(with_limit(2));
  pool.endpoint(1);
  for (unsigned id = 1; id <= 3; ++id) pool.submit(id, id);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(3));
}

TEST(SessionBoost, ACancelledRequestIsSkipped) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  for (unsigned id = 1; id <= 3; ++id) pool.submit(id);
  EXPECT_TRUE(pool.cancel(2));
  EXPECT_FALSE(pool.cancel(2)) << "it is gone";
  EXPECT_FALSE(pool.cancel(1)) << "it runs; the driver settles it";
  EXPECT_THAT(drain(pool, 1), ElementsAre(3));
}

TEST(SessionBoost, ACancelledRequestLeavesWhileTheGateIsClosed) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2);
  EXPECT_EQ(pool.view().queued, 1U);
  EXPECT_TRUE(pool.cancel(2));
  EXPECT_EQ(pool.view().queued, 0U);
  EXPECT_EQ(pool.view().queued_bytes, ByteCount(0));
  EXPECT_EQ(pool.view().counters.cancelled_queued, 1U);
}

TEST(SessionBoost, AnArrivalIntoAnIdleQueueGoesAtOnce) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1);
  EXPECT_THAT(pool.went(), ElementsAre(1));
  EXPECT_EQ(pool.dispatch(1).waited, Duration{0});
  EXPECT_EQ(pool.dispatch(1).why, Why::bypass);
}

TEST(SessionBoost, ABurstFillsAllSlotsAtOnce) {
  PoolUnderTest pool(with_limit(4));
  for (unsigned id = 1; id <= 20; ++id) pool.submit(id);
  pool.endpoint(1);
  pool.endpoint(2);
  EXPECT_EQ(pool.went().size(), 8U);
}

TEST(SessionBoost, TheGateOfOneModelIgnoresTheEndpointsOfAnother) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1, {1});
  pool.endpoint(2, {2});
  pool.submit(1, {.model = 1});
  pool.submit(2, {.model = 1});
  EXPECT_THAT(pool.went(), ElementsAre(1)) << "endpoint 2 is idle, but serves something else";
  pool.submit(3, {.model = 2});
  EXPECT_THAT(pool.went(), ElementsAre(3));
}

TEST(SessionBoost, TheLimitIsCountedPerEndpointAndNotPerModelName) {
  PoolUnderTest pool(with_limit(2));
  pool.endpoint(1, {1, 2});
  for (unsigned id = 1; id <= 4; ++id) pool.submit(id, {.model = 1 + id % 2});
  EXPECT_EQ(pool.went().size(), 2U) << "two names of one engine are not two engines";
}

TEST(SessionBoost, ATurnThatWaitsIsBoostedWhenTheEarlierOneEnds) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.submit(2, 5);
  pool.submit(3, 7);
  pool.forget();
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(3)) << "the slot that came free already sees the boost";
  EXPECT_EQ(pool.view().counters.boosts, 1U);
}

TEST(SessionBoost, ATurnWithoutAFirstTokenCompletesNothing) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.settle(1, Ending::failed);
  EXPECT_EQ(pool.view().sessions_tracked, 0U);
  pool.submit(2, 7);
  pool.first_token(2);
  pool.settle(2, Ending::cancelled);
  EXPECT_EQ(pool.view().sessions_tracked, 1U) << "it was answered, however it ended";
}

TEST(SessionBoost, ABoostExpiresWithItsTtlButNotOnceGiven) {
  PoolParams params = one_at_a_time();
  params.waits.queue_timeout = kForever;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.turn(2, 8);
  pool.submit(3);
  pool.submit(4);
  pool.pass(seconds(59));
  pool.submit(5, 7);  // in time
  pool.pass(seconds(1));
  pool.submit(6, 8);  // not any more
  pool.pass(minutes(10));
  EXPECT_THAT(drain(pool, 3), ElementsAre(5, 4, 6));
}

TEST(SessionBoost, ABoostIsLostExactlyAtTheTtl) {
  for (const auto& [age, boosted] :
       {std::pair(seconds(60) - Duration(1), true), std::pair(Duration(seconds(60)), false)}) {
    PoolUnderTest pool(one_at_a_time());
    pool.endpoint(1);
    pool.turn(1, 7);
    pool.pass(age);
    pool.submit(2, 7);
    EXPECT_EQ(pool.dispatch(2).why == Why::boosted, boosted) << age.count();
  }
}

TEST(SessionBoost, ABoostedRequestIsOvertakenAtMostSixteenTimes) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.turn(1, 7);
  for (unsigned session = 100; session < 140; ++session) pool.turn(session, session);
  pool.submit(2);
  pool.submit(3, 7);  // the completion of longest ago
  for (unsigned id = 100; id < 140; ++id) pool.submit(1000 + id, id);
  const std::vector<unsigned> order = drain(pool, 2);
  ASSERT_EQ(order.size(), 41U);
  EXPECT_EQ(std::ranges::find(order, 3U) - order.begin(), 16);
  EXPECT_GE(pool.view().counters.overtake_limit_hits, 1U);
}

TEST(SessionBoost, NewcomersBehindFourBusySessionsAreServed) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  for (unsigned session = 1; session <= 4; ++session) pool.turn(session, session);
  unsigned next = 10;
  for (unsigned session = 1; session <= 4; ++session) pool.submit(next++, session);
  pool.submit(5, 50);  // the newcomer
  unsigned running = 10;
  int overtaken = 0;
  for (; pool.place(5) == 0 && overtaken < 1000; ++overtaken) {
    pool.forget();
    pool.settle(running);
    running = pool.went().at(0);
    pool.submit(next, 1 + next % 4);
    ++next;
  }
  EXPECT_LE(overtaken, 64 + 4) << "four that came earlier, and the bound";
  EXPECT_GE(overtaken, 64);
}

TEST(SessionBoost, WithoutABoundNewcomersMayStarve) {
  PoolParams params = with_limit(1);
  params.order.boost.unboosted_overtakes_factor = 0;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 1);
  pool.submit(2, 1);
  pool.submit(3, 9);
  pool.submit(4, 1);
  for (unsigned id = 2; id < 200; ++id) {
    if (id == 3) continue;
    pool.settle(id);
    pool.submit(id < 4 ? 5 : id + 2, 1);
    ASSERT_EQ(pool.place(3), 0U);
  }
}

TEST(SessionBoost, SessionsOfDifferentModelsAreComparedByRank) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1, {1, 2});
  pool.turn(1, 7);
  pool.submit(2, {.model = 1});
  pool.submit(3, {.model = 1});
  pool.submit(4, {.session = 7, .model = 2});
  EXPECT_THAT(drain(pool, 2), ElementsAre(4, 3));
}

TEST(SessionBoost, EveryExitReturnsItsLease) {
  PoolUnderTest pool(with_limit(8));
  pool.endpoint(1);
  for (unsigned id = 1; id <= 4; ++id) pool.submit(id, id);
  EXPECT_EQ(pool.view().leases, 4U);
  pool.settle(1, Ending::finished);
  pool.settle(2, Ending::failed);
  pool.settle(3, Ending::cancelled);
  pool.failed(4, FailureKind::died);
  EXPECT_EQ(pool.view().leases, 0U);
  EXPECT_EQ(pool.view().in_flight, 0U);
  EXPECT_EQ(pool.endpoint_view(1).running_tokens, TokenCount(0));
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(0));
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(4U, RejectReason::attempts_exhausted)));
}

TEST(SessionBoost, TheQueueIsListedInOrder) {
  PoolUnderTest pool(one_at_a_time());
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2);
  pool.submit(3);
  pool.submit(4, 7);
  const std::vector<QueuedView> queue = pool.pool.queue(10, pool.now);
  ASSERT_EQ(queue.size(), 2U);
  EXPECT_EQ(queue[0].id, RequestId(4));
  EXPECT_TRUE(queue[0].boosted);
  EXPECT_EQ(queue[1].position, 2U);
  EXPECT_EQ(pool.pool.queue(1, pool.now).size(), 1U);
}

TEST(SessionBoost, AQueueBesideIdleEnginesNeverSleeps) {
  PoolUnderTest pool;  // backpressure
  pool.endpoint(1, {1}, 4);
  pool.observe(1, 4, 3);  // the last scrape says that requests wait
  pool.submit(1);
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pass(seconds(3) + milliseconds(1));  // no scrape comes any more: the ledger alone decides
  EXPECT_THAT(pool.went(), ElementsAre(1));
}

}  // namespace
}  // namespace turnpike::core
