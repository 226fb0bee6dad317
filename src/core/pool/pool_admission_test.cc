#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// Admission, grace and the bounds of the queue, as a pool applies them.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

PoolParams with_grace(Duration period, GraceScope scope = GraceScope::session) {
  PoolParams params = with_limit(1);
  params.grace = {.period = period, .scope = scope};
  return params;
}

TEST(Backpressure, AnIdleEngineTakesABurstUpToItsSlotsAtOnce) {
  PoolParams params;
  params.admission.limit = 0;
  PoolUnderTest pool(params);
  pool.endpoint(1, {1}, 4);
  pool.observe(1, 0, 0);
  for (unsigned id = 1; id <= 10; ++id) pool.submit(id);
  EXPECT_THAT(pool.went(), SizeIs(4)) << "not one more: it would wait in the engine";
  pool.pass(milliseconds(10));
  pool.settle(1);
  EXPECT_THAT(pool.went(), SizeIs(1)) << "a settle counts at once, not one scrape later";
}

TEST(Backpressure, AScrapeThatIsOlderThanADispatchDoesNotHideIt) {
  PoolParams params;
  params.admission.limit = 0;
  PoolUnderTest pool(params);
  pool.endpoint(1, {1}, 1);
  pool.observe(1, 0, 0);
  const TimePoint scraped = pool.now + milliseconds(1);
  pool.pass(milliseconds(2));
  pool.submit(1);
  pool.submit(2);
  pool.forget();
  pool.pool.observe(EndpointId(1), {.running = 0, .waiting = 0, .kv_usage = {}, .kv_capacity = {}},
                    scraped, pool.now);
  pool.look();
  pool.submit(3);
  EXPECT_THAT(pool.went(), IsEmpty()) << "the scrape began before 1 and 2 were sent";
}

TEST(Backpressure, SlotsAreLearnedFromARunningGaugeAtWhichRequestsWait) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.observe(1, 3, 0);
  EXPECT_EQ(pool.endpoint_view(1).slots, 0);
  pool.pass(seconds(1));
  pool.observe(1, 8, 2);
  EXPECT_EQ(pool.endpoint_view(1).slots, 8);
  pool.pass(minutes(9));
  EXPECT_EQ(pool.endpoint_view(1).slots, 8);
  pool.pass(minutes(2));
  EXPECT_EQ(pool.endpoint_view(1).slots, 0) << "forgotten after ten minutes";
}

TEST(Backpressure, LoadThatIsNotOursIsSeen) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1);
  pool.pass(milliseconds(5));
  pool.observe(1, 4, 1);
  EXPECT_EQ(pool.endpoint_view(1).foreign, 4);
}

TEST(Grace, AFollowUpBeatsAnEarlierStranger) {
  PoolUnderTest pool(with_grace(milliseconds(50)));
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.submit(2);
  pool.forget();
  pool.settle(1);
  EXPECT_THAT(pool.went(), IsEmpty()) << "the slot is held";
  pool.pass(milliseconds(20));
  pool.submit(3, 7);
  EXPECT_THAT(pool.went(), ElementsAre(3));
  EXPECT_EQ(pool.view().counters.grace_used, 1U);
}

TEST(Grace, AStrangerWaitsTheWindowAndNotLonger) {
  PoolUnderTest pool(with_grace(milliseconds(50)));
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.submit(2);
  pool.forget();
  pool.settle(1);
  pool.pass(milliseconds(49));
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pass(milliseconds(1));
  EXPECT_THAT(pool.went(), ElementsAre(2));
  EXPECT_EQ(pool.view().slots_held, 0U);
}

TEST(Grace, NeverDelaysARequestThatFindsAnotherFreeSlot) {
  PoolUnderTest pool(with_grace(milliseconds(50)));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1, 7);
  pool.settle(1);
  pool.submit(2);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  EXPECT_NE(pool.place(2), pool.place(1));
}

TEST(Grace, ATurnWithoutSessionAndOneThatEndedBadlyHoldNothing) {
  PoolUnderTest pool(with_grace(milliseconds(50)));
  pool.endpoint(1);
  pool.submit(1);
  pool.settle(1);
  EXPECT_EQ(pool.view().slots_held, 0U);
  pool.submit(2, 7);
  pool.settle(2, Ending::cancelled);
  EXPECT_EQ(pool.view().slots_held, 0U);
}

TEST(Grace, OnlyTheLastOfParallelTurnsHolds) {
  PoolParams params = with_grace(milliseconds(50));
  params.admission.limit = 2;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.submit(2, 7);
  pool.settle(1);
  EXPECT_EQ(pool.view().slots_held, 0U);
  pool.settle(2);
  EXPECT_EQ(pool.view().slots_held, 1U);
}

TEST(Grace, EndsWithTheSessionAndWithTheEndpoint) {
  PoolUnderTest pool(with_grace(minutes(1)));
  pool.endpoint(1);
  pool.turn(1, 7);
  EXPECT_EQ(pool.view().slots_held, 1U);
  pool.pool.end_session(SessionKey(7), pool.now);
  EXPECT_EQ(pool.view().slots_held, 0U);
  pool.turn(2, 8);
  EXPECT_EQ(pool.view().slots_held, 1U);
  pool.pool.set_draining(EndpointId(1), true, pool.now);
  EXPECT_EQ(pool.view().slots_held, 0U);
}

TEST(Grace, ScopeBoostedLetsAnyBoostedRequestTakeTheSlot) {
  for (const GraceScope scope : {GraceScope::session, GraceScope::boosted}) {
    PoolUnderTest pool(with_grace(seconds(10), scope));
    pool.endpoint(1);
    pool.submit(1, 8);
    pool.settle(1, Ending::cancelled);
    pool.submit(2, 7);
    pool.first_token(2);
    pool.settle(2, Ending::cancelled);  // 7 is tracked and holds nothing
    pool.turn(3, 8);                    // 8 holds the slot
    pool.submit(4);
    pool.submit(5, 7);
    if (scope == GraceScope::boosted) {
      EXPECT_THAT(pool.went(), ElementsAre(5));
    } else {
      EXPECT_THAT(pool.went(), IsEmpty());
    }
  }
}

TEST(Bounds, TheQueueIsBoundedInRequestsAndBytes) {
  PoolParams params;
  params.limits = {.max_requests = 2, .max_bytes = ByteCount(1000)};
  PoolUnderTest pool(params);
  pool.submit(1, {.bytes = 600});
  pool.submit(2, {.bytes = 400});
  EXPECT_THAT(pool.turned_away(), IsEmpty()) << "exactly full";
  pool.submit(3, {.bytes = 0});
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(3U, RejectReason::queue_full)));
  pool.cancel(2);
  pool.submit(4, {.bytes = 401});
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(4U, RejectReason::queue_full)));
  pool.submit(5, {.bytes = 400});
  EXPECT_THAT(pool.turned_away(), IsEmpty());
}

TEST(Bounds, ATenantIsBoundedButNotTheAnonymousOne) {
  PoolParams params;
  params.limits.max_tenant_requests = 1;
  PoolUnderTest pool(params);
  pool.submit(1, {.tenant = 5});
  pool.submit(2, {.tenant = 5});
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(2U, RejectReason::tenant_queue_full)));
  pool.submit(3, {.tenant = 6});
  pool.submit(4, {.tenant = 0});
  pool.submit(5, {.tenant = 0});
  EXPECT_THAT(pool.turned_away(), IsEmpty());
}

TEST(Bounds, AFullQueueForOneModelRefusesNothingThatCanGoAtOnce) {
  PoolParams params = with_limit(1);
  params.limits.max_requests = 1;
  PoolUnderTest pool(params);
  pool.endpoint(1, {1});
  pool.endpoint(2, {2});
  pool.submit(1, {.model = 1});
  pool.submit(2, {.model = 1});
  pool.forget();
  pool.submit(3, {.model = 2});
  EXPECT_THAT(pool.went(), ElementsAre(3));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
}

TEST(Bounds, ATurnOfARunningSessionDisplacesTheYoungestNewcomer) {
  PoolParams params = with_limit(1);
  params.limits.max_requests = 2;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2);
  pool.submit(3, 20);
  pool.submit(4, 21);
  pool.submit(5, 7);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(4U, RejectReason::displaced)));
  pool.submit(6, 7);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(3U, RejectReason::displaced)));
  pool.submit(8, 7);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(8U, RejectReason::queue_full)))
      << "no newcomer is left";
  pool.submit(9, 22);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(9U, RejectReason::queue_full)));
}

TEST(PoolLimit, BoundsWhatAllEndpointsHaveTogether) {
  PoolParams params = with_limit(2);
  params.admission.pool_limit = 3;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.endpoint(2);
  for (unsigned id = 1; id <= 5; ++id) pool.submit(id);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2, 3));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(4));
  pool.failed(2, FailureKind::died);
  EXPECT_EQ(pool.view().in_flight, 3U) << "another attempt takes the place of the first";
}

TEST(Bounds, RetryAfterIsThePredictedDrain) {
  PoolParams params = with_limit(1);
  params.limits.max_requests = 2;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 600});
  pool.pass(seconds(2));
  pool.submit(2, {.prompt = 600});
  pool.submit(3, {.prompt = 300});
  pool.submit(4);
  EXPECT_EQ(pool.retry_after(4), seconds(3)) << "900 tokens wait, 300 a second went";
}

}  // namespace
}  // namespace turnpike::core
