#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// Admission by rules for the whole pool, the presets `kthena` and `kthena-tuned` that use one, and grace that sets itself.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

PoolParams small_gate() {
  PoolParams params = *preset("kthena");
  params.admission.limit = 2;
  return params;
}

TEST(Kthena, OneGateStandsBeforeAllEndpoints) {
  PoolUnderTest pool(small_gate());
  pool.endpoint(1);
  pool.endpoint(2);
  for (unsigned id = 1; id <= 6; ++id) pool.submit(id);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2, 3, 4));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(5));
  pool.pool.set_draining(EndpointId(2), true, pool.now);  // half of the sum is gone
  pool.settle(2);
  pool.settle(3);
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.settle(4);
  EXPECT_THAT(pool.went(), ElementsAre(6));
}

TEST(Kthena, OneCalmEndpointOpensTheGateForAll) {
  PoolUnderTest pool(small_gate());
  pool.endpoint(1);
  pool.endpoint(2);
  pool.observe(1, 3, 2);
  pool.submit(1);
  pool.submit(2);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
}

// What its gauges said last counts until the next scrape, however long that takes: only events wake it.
TEST(Kthena, TheGateStaysClosedBesideIdleEndpointsUntilTheNextScrape) {
  PoolUnderTest pool(small_gate());
  pool.endpoint(1);
  pool.observe(1, 3, 1);
  pool.submit(1);
  pool.pass(seconds(20));
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.observe(1, 0, 0);
  EXPECT_THAT(pool.went(), ElementsAre(1));
}

TEST(Kthena, ABoostIsFixedWhenARequestBeginsToWait) {
  PoolUnderTest pool(small_gate());
  pool.endpoint(1);
  pool.submit(1, 7);
  pool.submit(2);
  pool.submit(3);
  pool.submit(4, 7);  // its session has completed nothing yet
  pool.forget();
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(3));
  pool.submit(5, 7);  // now it has
  pool.settle(2);
  EXPECT_THAT(pool.went(), ElementsAre(5));
  pool.settle(3);
  EXPECT_THAT(pool.went(), ElementsAre(4));
  EXPECT_EQ(pool.dispatch(4).why, Why::cold);
}

TEST(Kthena, WhoCompletedLastGoesFirstHoweverOftenOthersAreOvertaken) {
  PoolParams params = small_gate();
  params.admission.limit = 1;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2, 7);
  pool.submit(3);  // overtaken by every turn of the session
  for (unsigned id = 4; id < 200; ++id) {
    pool.submit(id, 7);
    pool.forget();
    pool.settle(id == 4 ? 2 : id - 1);
    ASSERT_THAT(pool.went(), ElementsAre(id));
  }
}

TEST(Kthena, PrefixesAreLearnedFromTheFirst8KiBAfterTheAnswer) {
  for (const std::string_view name : {"kthena", "kthena-tuned"}) {
    const PrefixParams prefix = preset(name)->prefix;
    EXPECT_EQ(prefix.max_blocks, 8U) << name;
    EXPECT_TRUE(prefix.learn_at_end) << name;
  }
}

TEST(Rate, LetsABurstGoAndWakesThePoolForTheNext) {
  PoolParams params = with_limit(0);
  params.admission = {.rule = AdmissionRule::rate, .limit = 0, .rate = 4.0, .burst = 2};
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.endpoint(2);
  for (unsigned id = 1; id <= 4; ++id) pool.submit(id);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  pool.pass(milliseconds(249));
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pass(milliseconds(1));
  EXPECT_THAT(pool.went(), ElementsAre(3));
  pool.pass(milliseconds(250));
  EXPECT_THAT(pool.went(), ElementsAre(4));
  EXPECT_EQ(pool.pool.next_deadline(), std::nullopt);  // nothing waits: nothing to wake for
}

TEST(Rate, AnEndpointsOwnLimitHoldsToo) {
  PoolParams params = with_limit(0);
  params.admission = {.rule = AdmissionRule::rate, .limit = 1, .rate = 100.0, .burst = 50};
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2);
  pool.pass(seconds(5));
  EXPECT_THAT(pool.went(), ElementsAre(1));
}

// A session with short gaps and a long context is worth an idle slot; one whose context is computed in no time is not.
TEST(AutomaticGrace, HoldsASlotOnlyWhereThatIsWorthIt) {
  for (const std::int64_t prompt : {200'000, 200}) {
    SCOPED_TRACE(prompt);
    PoolParams params = with_limit(1);
    params.grace = {.period = seconds(30), .automatic = true};
    PoolUnderTest pool(params);
    pool.endpoint(1);
    unsigned id = 1;
    for (; id <= 8; ++id) {
      pool.submit(id, {.session = 7, .prompt = prompt});
      pool.settle(id);
      pool.pass(milliseconds(500));
    }
    pool.submit(id, {.session = 7, .prompt = prompt});
    pool.submit(20);
    pool.forget();
    pool.settle(id);
    if (prompt > 1000) {
      EXPECT_THAT(pool.went(), IsEmpty());
      pool.pass(milliseconds(1000));  // about the median of its gaps
    }
    EXPECT_THAT(pool.went(), ElementsAre(20));
  }
}

}  // namespace
}  // namespace turnpike::core
