#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// Failures, retries, health, deadlines.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using enum FailureKind;

TEST(Retry, GoesElsewhereInTheSameStepAheadOfTheQueue) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2);
  pool.forget();
  pool.pool.add_endpoint({.id = EndpointId(2), .name = "e2", .models = {ModelId(1)}}, pool.now);
  pool.look();
  pool.forget();  // 2 runs on the new endpoint
  pool.submit(3);
  pool.endpoint(3, {2});
  pool.settle(2);
  pool.forget();  // 3 runs on endpoint 2
  pool.settle(3);
  pool.failed(1, refused);
  EXPECT_THAT(pool.went(), ElementsAre(1));
  EXPECT_EQ(pool.place(1), 2U);
  EXPECT_EQ(pool.dispatch(1).attempt, 2);
}

TEST(Retry, WithoutRoomItQueuesAheadWithItsFirstArrivalTime) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1);
  pool.submit(2);
  pool.submit(3);
  pool.pass(seconds(4));
  pool.forget();
  const unsigned other = pool.place(1) == 1 ? 2 : 1;
  pool.failed(1, died);
  EXPECT_THAT(pool.went(), ElementsAre(3))
      << "the slot that 1 gave back; 1 itself may not go there again";
  EXPECT_EQ(pool.view().queued, 1U);
  pool.submit(4);
  pool.settle(2);
  EXPECT_THAT(pool.went(), ElementsAre(1));
  EXPECT_EQ(pool.place(1), other);
  EXPECT_EQ(pool.dispatch(1).waited, seconds(4));
}

// It waited behind the larger one, although nothing else wanted the room.
TEST(Retry, ASmallOnePassesALargeOneThatDoesNotFit) {
  PoolParams params;
  params.admission = {.rule = AdmissionRule::kv_share,
                      .limit = 0,
                      .kv_share = 0.5,
                      .assumed_capacity = TokenCount(1000)};
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 400});
  pool.submit(2, {.prompt = 50});
  pool.endpoint(2);
  pool.submit(3, {.prompt = 300});
  pool.submit(4, {.prompt = 200});
  EXPECT_EQ(pool.place(4), 2U);
  pool.failed(1, died);
  pool.failed(2, died);
  pool.forget();
  pool.settle(4);
  EXPECT_THAT(pool.went(), ElementsAre(2));
  pool.settle(3);
  EXPECT_THAT(pool.went(), ElementsAre(1));
}

TEST(KvShare, CountsWhatOthersRunThereAtOurMeanContext) {
  PoolParams params;
  params.admission = {.rule = AdmissionRule::kv_share,
                      .limit = 0,
                      .kv_share = 0.5,
                      .assumed_capacity = TokenCount(1000)};
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 100});
  pool.pass(seconds(1));
  pool.observe(1, 4, 0);  // three of them are not ours
  pool.submit(2, {.prompt = 101});
  pool.submit(3, {.prompt = 99});
  EXPECT_THAT(pool.went(), ElementsAre(1, 3));
  pool.pass(seconds(1));
  pool.observe(1, 2, 0);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(Retry, IsBoundedByAttempts) {
  PoolUnderTest pool;
  for (unsigned e = 1; e <= 5; ++e) pool.endpoint(e);
  pool.submit(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(pool.went(), ElementsAre(1));
    pool.failed(1, refused);
  }
  EXPECT_THAT(pool.went(), IsEmpty());
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(1U, RejectReason::attempts_exhausted)));
}

TEST(Retry, ARequestThatKilledTwoEndpointsGoesToNoThird) {
  PoolUnderTest pool;
  for (unsigned e = 1; e <= 5; ++e) pool.endpoint(e);
  pool.submit(1);
  pool.failed(1, died);
  pool.failed(1, died);
  EXPECT_THAT(pool.went(), ElementsAre(1, 1));
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(1U, RejectReason::attempts_exhausted)));
}

TEST(Retry, ARefusedConnectionIsNoDeath) {
  PoolUnderTest pool;
  for (unsigned e = 1; e <= 5; ++e) pool.endpoint(e);
  pool.submit(1);
  pool.failed(1, refused);
  pool.failed(1, died);
  EXPECT_THAT(pool.went(), ElementsAre(1, 1, 1));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
}

TEST(Retry, IsBoundedByTheBudgetOfThePool) {
  PoolParams params;
  params.breaker.failures = 0;
  PoolUnderTest pool(params);
  for (unsigned e = 1; e <= 4; ++e) pool.endpoint(e);
  for (unsigned id = 1; id <= 10; ++id) pool.submit(id);
  for (unsigned id = 1; id <= 3; ++id) pool.failed(id, bad_gateway);
  EXPECT_THAT(pool.turned_away(), IsEmpty()) << "three are always allowed";
  pool.failed(4, bad_gateway);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(4U, RejectReason::attempts_exhausted)));
  pool.settle(1);
  pool.failed(5, bad_gateway);
  EXPECT_THAT(pool.turned_away(), IsEmpty()) << "a retry that ended frees its share";
}

TEST(Retry, SaturationGoesElsewhereOnlyIfThereIsRoomNow) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1);
  pool.submit(2);
  pool.failed(1, saturated);
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(1U, RejectReason::saturated)));
  EXPECT_EQ(pool.view().counters.breaker_opened, 0U);
}

TEST(Retry, AnEndpointThatSaidItWasFullDoesNotBurnTheWholeQueue) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  for (unsigned id = 1; id <= 5; ++id) pool.submit(id);
  pool.failed(1, saturated);
  EXPECT_THAT(pool.went(), ElementsAre(1)) << "nothing follows at once";
  EXPECT_EQ(pool.endpoint_view(1).sheds, 1U);
  pool.pass(seconds(1));
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(Retry, ACancelledRetryLeavesTheQueue) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1);
  pool.submit(2);
  pool.failed(1, died);
  EXPECT_EQ(pool.view().queued, 1U);
  EXPECT_TRUE(pool.cancel(1));
  EXPECT_EQ(pool.view().queued, 0U);
}

TEST(Health, ADeadEndpointIsNotTriedFirstForEver) {
  PoolUnderTest pool(with_limit(0));
  for (unsigned e = 1; e <= 3; ++e) pool.endpoint(e);
  unsigned id = 0;
  int refusals = 0;
  for (int i = 0; i < 30; ++i) {
    pool.submit(++id);
    while (pool.place(id) == 1) {
      ++refusals;
      pool.failed(id, refused);
    }
    pool.settle(id);
  }
  EXPECT_LE(refusals, 3);
  EXPECT_EQ(pool.endpoint_view(1).breaker, BreakerState::open);
  EXPECT_FALSE(pool.endpoint_view(1).dispatchable);
}

TEST(Health, AHalfOpenEndpointGetsOneProbe) {
  PoolParams params = with_limit(0);
  params.breaker.failures = 1;
  PoolUnderTest pool(params);
  for (unsigned e = 1; e <= 3; ++e) pool.endpoint(e);
  for (unsigned id = 1; id <= 3; ++id) pool.submit(id);
  unsigned victim = 1;
  while (pool.place(victim) != 1) ++victim;
  pool.failed(victim, died);
  pool.pass(seconds(1));
  EXPECT_EQ(pool.endpoint_view(1).breaker, BreakerState::half_open);
  pool.forget();
  unsigned probe = 0;
  for (unsigned id = 10; id < 20; ++id) {
    pool.submit(id);
    if (pool.place(id) == 1) probe = id;
  }
  ASSERT_NE(probe, 0U);
  EXPECT_EQ(pool.endpoint_view(1).leases, 1U);
  EXPECT_FALSE(pool.endpoint_view(1).dispatchable) << "until the probe has ended";
  pool.settle(probe);
  EXPECT_EQ(pool.endpoint_view(1).breaker, BreakerState::closed);
}

TEST(Health, PanicIgnoresEjectionButNeverARefusedConnection) {
  PoolParams params = with_limit(0);
  params.breaker.failures = 1;
  params.retry.more_attempts = 0;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.endpoint(2);
  pool.submit(1);
  pool.failed(1, died);
  EXPECT_FALSE(pool.view().panic);
  pool.submit(2);
  pool.failed(2, refused);
  EXPECT_TRUE(pool.view().panic);
  EXPECT_EQ(pool.view().dispatchable, 1U);
  EXPECT_TRUE(pool.endpoint_view(pool.place(1)).dispatchable);
  EXPECT_FALSE(pool.endpoint_view(pool.place(2)).dispatchable);
}

TEST(Health, TheActiveVerdictAndDrainingTakeOutAndBringBack) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.pool.set_healthy(EndpointId(1), false, pool.now);
  pool.submit(1);
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pool.set_healthy(EndpointId(1), true, pool.now);
  pool.look();
  EXPECT_THAT(pool.went(), ElementsAre(1));
  pool.pool.set_draining(EndpointId(1), true, pool.now);
  pool.submit(2);
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pool.set_draining(EndpointId(1), false, pool.now);
  pool.look();
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(Health, ARemovedEndpointKeepsItsLeasesUntilTheySettle) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1);
  pool.pool.remove_endpoint(EndpointId(1), pool.now);
  pool.look();
  EXPECT_TRUE(pool.endpoint_view(1).removed);
  EXPECT_EQ(pool.view().endpoints, 0U);
  EXPECT_EQ(pool.view().leases, 1U);
  pool.settle(1);
  EXPECT_TRUE(pool.pool.endpoints(pool.now).empty());
}

TEST(Deadline, AQueuedRequestIsTurnedAwayAtItsTimeout) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2);
  pool.pass(seconds(30) - Duration(1));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
  pool.pass(Duration(1));
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(2U, RejectReason::queue_timeout)));
  EXPECT_FALSE(pool.pool.next_deadline().has_value());
}

TEST(Deadline, ADequeueWinsOverADeadlineAtTheSameInstant) {
  PoolParams params = with_limit(1);
  params.grace.period = seconds(30);
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.settle(1);
  pool.submit(2);
  pool.forget();
  pool.now += seconds(30);  // the held slot comes free and the wait is over, both now
  pool.pool.advance(pool.now);
  pool.look();
  EXPECT_THAT(pool.went(), ElementsAre(2));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
}

TEST(Deadline, WithoutADispatchableEndpointItWaitsOnlySoLong) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.pool.set_healthy(EndpointId(1), false, pool.now);
  pool.pass(minutes(1));
  pool.submit(1);
  pool.pass(seconds(5) - Duration(1));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
  pool.pass(Duration(1));
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(1U, RejectReason::no_endpoint)));
  EXPECT_EQ(pool.retry_after(1), seconds(5));
}

TEST(Deadline, TheWaitForAnEndpointBeginsWhenTheLastOneGoes) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2);
  pool.pass(seconds(10));
  pool.pool.remove_endpoint(EndpointId(1), pool.now);
  pool.pass(seconds(4));
  EXPECT_THAT(pool.turned_away(), IsEmpty());
  pool.pass(seconds(1));
  EXPECT_THAT(pool.turned_away(), ElementsAre(Pair(2U, RejectReason::unknown_model)))
      << "nothing serves it any more";
}

TEST(Deadline, ARestartedEndpointServesWhatWaited) {
  PoolUnderTest pool;
  pool.submit(1);
  pool.pass(seconds(4));
  pool.endpoint(1);
  EXPECT_THAT(pool.went(), ElementsAre(1));
}

TEST(Deadline, AClientsRetryKeepsItsFirstArrivalTime) {
  PoolParams params = with_limit(1);
  params.order.sessions = SessionOrder::fcfs;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2, {.session = 7, .prompt_hash = 99});
  pool.pass(seconds(30));  // 2 is turned away
  pool.submit(3);
  pool.submit(4, {.session = 7, .prompt_hash = 98});  // another request
  pool.submit(5, {.session = 7, .prompt_hash = 99});
  pool.forget();
  pool.settle(1, Ending::cancelled);
  EXPECT_THAT(pool.went(), ElementsAre(5)) << "it came first";
  EXPECT_EQ(pool.view().counters.arrivals_kept, 1U);
}

TEST(Deadline, ARetryAfterTwoMinutesStartsAnew) {
  for (const auto& [pause, kept] :
       {std::pair(Duration(minutes(2)), 1U), std::pair(minutes(2) + Duration(1), 0U)}) {
    PoolUnderTest pool(with_limit(1));
    pool.endpoint(1);
    pool.submit(1);
    pool.submit(2, {.session = 7, .prompt_hash = 99});
    pool.cancel(2);
    pool.pass(pause);
    pool.submit(3, {.session = 7, .prompt_hash = 99});
    EXPECT_EQ(pool.view().counters.arrivals_kept, kept);
  }
}

TEST(FirstToken, IsAssumedForAnswersThatAreNotStreamed) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1, {.prompt = 10'000, .streaming = false});
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(10'000));
  pool.pass(milliseconds(999));
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(10'000));
  pool.pass(milliseconds(2));
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(0)) << "10 000 tokens at 0.1 ms each";
  EXPECT_NEAR(pool.endpoint_view(1).seconds_per_token, 1e-4, 1e-12)
      << "an assumption teaches nothing";
}

TEST(FirstToken, TeachesTheSpeedOfPrefill) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1, {.prompt = 1000});
  pool.pass(seconds(1));
  pool.first_token(1);
  const double seconds = 0.2048 + 0.05 * (1.0 - 0.2048);
  EXPECT_NEAR(pool.endpoint_view(1).seconds_per_token, seconds / (2048 - 0.05 * 1048), 1e-9);
}

TEST(Absorb, MergesQueuesByArrivalAndKeepsLedgers) {
  PoolUnderTest one(with_limit(1));
  PoolUnderTest other(with_limit(1));
  one.endpoint(1);
  other.now = one.now;
  other.pool.add_endpoint({.id = EndpointId(2), .name = "e2", .models = {ModelId(1)}}, other.now);
  one.submit(1, 7);
  other.submit(101, 8);
  for (unsigned id = 2; id <= 3; ++id) {
    one.pass(milliseconds(1));
    other.pass(milliseconds(2));
    one.submit(id);
    other.submit(100 + id);
  }
  one.forget();
  one.now = other.now;
  one.pool.absorb(std::move(other.pool), one.now);
  one.look();
  EXPECT_EQ(one.view().leases, 2U);
  EXPECT_EQ(one.view().queued, 4U);
  EXPECT_EQ(one.view().endpoints, 2U);
  EXPECT_TRUE(one.pool.session(SessionKey(8), one.now).has_value());
  one.settle(101, Ending::cancelled);
  one.settle(1, Ending::cancelled);
  one.settle(2, Ending::cancelled);
  one.settle(3, Ending::cancelled);
  EXPECT_THAT(one.went(), ElementsAre(2, 3, 102, 103));
  EXPECT_EQ(other.pool.view(one.now).queued, 0U);
  EXPECT_EQ(other.pool.view(one.now).leases, 0U);
}

TEST(Policy, CanChangeWhileRequestsWait) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2);
  pool.submit(3);
  pool.submit(4, 7);
  pool.forget();
  PoolParams params = with_limit(2);
  params.order.sessions = SessionOrder::fcfs;
  pool.pool.set_policy(params, pool.now);
  pool.look();
  EXPECT_THAT(pool.went(), ElementsAre(3)) << "the new limit at once, in the new order";
}

TEST(Sessions, AreListedInPages) {
  PoolUnderTest pool;
  pool.endpoint(1);
  for (unsigned session = 1; session <= 5; ++session) pool.turn(session, session);
  const SessionPage first = pool.pool.sessions(3, 0, pool.now);
  EXPECT_EQ(first.sessions.size(), 3U);
  ASSERT_NE(first.next, 0U);
  const SessionPage second = pool.pool.sessions(3, first.next, pool.now);
  EXPECT_EQ(second.sessions.size(), 2U);
  EXPECT_EQ(second.next, 0U);
  EXPECT_EQ(pool.pool.session(SessionKey(2), pool.now)->turns, 1U);
  EXPECT_FALSE(pool.pool.session(SessionKey(99), pool.now));
}

}  // namespace
}  // namespace turnpike::core
