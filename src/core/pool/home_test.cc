#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/pool/pool_test_support.h"

// Placement `wait_for_home` and admission by tokens: requests that wait for one endpoint.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Requests of 100 tokens; capacity 1000, so that five of them take half.
class Homes : public testing::Test {
 protected:
  static PoolParams params() {
    PoolParams p = *preset("half");
    p.admission.assumed_capacity = TokenCount(1000);
    return p;
  }
  void SetUp() override {
    for (const unsigned id : {1U, 2U, 3U}) pool.endpoint(id);
  }
  // A session whose context is at the endpoint.
  unsigned session_at(unsigned endpoint) {
    for (;;) {
      ++last_session;
      pool.turn(1000 + last_session, last_session);
      if (pool.place(1000 + last_session) == endpoint) return last_session;
    }
  }
  // One-shot requests until nothing more fits anywhere.
  void fill() {
    for (unsigned id = 100; id < 115; ++id) pool.submit(id);
    EXPECT_EQ(pool.went().size(), 15U);
  }
  // The requests of fill() that run at an endpoint.
  std::vector<unsigned> running_at(unsigned endpoint) const {
    std::vector<unsigned> ids;
    for (unsigned id = 100; id < 115; ++id) {
      if (pool.place(id) == endpoint) ids.push_back(id);
    }
    return ids;
  }

  PoolUnderTest pool{params()};
  unsigned last_session = 0;
};

TEST_F(Homes, ATurnWaitsForItsEndpointAndOthersPassIt) {
  const unsigned session = session_at(2);
  fill();
  pool.submit(1, session);
  pool.submit(2);  // may go anywhere
  pool.settle(running_at(1).front());
  EXPECT_THAT(pool.went(), ElementsAre(2));
  EXPECT_EQ(pool.place(2), 1U);
  pool.settle(running_at(2).front());
  EXPECT_THAT(pool.went(), ElementsAre(1));
  EXPECT_EQ(pool.place(1), 2U);
  EXPECT_FALSE(pool.dispatch(1).rebound);
}

TEST_F(Homes, ANewSessionIsDrawnOneAndWaitsForItToo) {
  fill();
  pool.submit(1, 77);
  for (const unsigned endpoint : {1U, 2U, 3U}) pool.settle(running_at(endpoint).front());
  EXPECT_THAT(pool.went(), ElementsAre(1));
  const unsigned home = pool.place(1);
  pool.submit(2, 77);
  pool.submit(3, 77);
  EXPECT_THAT(pool.went(), IsEmpty());  // two others have room
  pool.settle(running_at(home).back());
  EXPECT_EQ(pool.went().size(), 1U);
  EXPECT_EQ(pool.place(2), home);
}

TEST_F(Homes, NewSessionsSpreadOverTheEndpoints) {
  std::set<unsigned> homes;
  for (unsigned session = 1; session <= 12; ++session) {
    pool.submit(session, session);
    homes.insert(pool.place(session));
  }
  EXPECT_EQ(homes.size(), 3U);
}

TEST_F(Homes, AnEndpointThatGetsNothingLetsItsSessionsGoElsewhere) {
  enum class Loss { drained, ill, removed, other_model };
  for (const Loss loss : {Loss::drained, Loss::ill, Loss::removed, Loss::other_model}) {
    SCOPED_TRACE(static_cast<int>(loss));
    PoolUnderTest fleet(params());
    fleet.endpoint(1);
    fleet.submit(1, 7);
    for (unsigned id = 2; id <= 5; ++id) fleet.submit(id);
    fleet.submit(6, 7);
    fleet.endpoint(2);
    fleet.forget();
    const EndpointId first(1);
    switch (loss) {
      case Loss::drained:
        fleet.pool.set_draining(first, true, fleet.now);
        break;
      case Loss::ill:
        fleet.pool.set_healthy(first, false, fleet.now);
        break;
      case Loss::removed:
        fleet.pool.remove_endpoint(first, fleet.now);
        break;
      case Loss::other_model:
        fleet.pool.set_models(first, PoolUnderTest::ids({5}), fleet.now);
        break;
    }
    fleet.look();
    EXPECT_THAT(fleet.went(), ElementsAre(6));
    EXPECT_EQ(fleet.place(6), 2U);
    EXPECT_TRUE(fleet.dispatch(6).rebound);
  }
}

TEST_F(Homes, WithoutAnyEndpointATurnWaitsForWhicheverComes) {
  PoolUnderTest fleet(params());
  fleet.endpoint(1);
  fleet.pool.set_healthy(EndpointId(1), false, fleet.now);
  fleet.submit(1, 7);
  EXPECT_THAT(fleet.went(), IsEmpty());
  fleet.endpoint(2);
  EXPECT_EQ(fleet.place(1), 2U);
}

TEST_F(Homes, ARetryGoesElsewhere) {
  const unsigned session = session_at(3);
  pool.submit(1, session);
  pool.failed(1, FailureKind::refused);
  EXPECT_NE(pool.place(1), 3U);
  EXPECT_EQ(pool.dispatch(1).attempt, 2);
}

TEST_F(Homes, TheSessionThatCompletedLastIsFirstAtItsEndpoint) {
  const unsigned first = session_at(1);
  const unsigned second = session_at(1);
  fill();
  pool.submit(1, first);
  pool.submit(2, second);
  pool.settle(running_at(1).front());
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(KvShare, OneThatIsTooLargeIsPassedByThoseThatFit) {
  PoolParams params = *preset("half");
  params.admission.assumed_capacity = TokenCount(1000);
  params.placement.wait_for_home = false;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 300});
  pool.submit(2, {.prompt = 201});
  pool.submit(3, {.prompt = 201});
  pool.submit(4, {.prompt = 150});
  pool.submit(5, {.prompt = 50});
  pool.submit(6, {.prompt = 1});
  EXPECT_THAT(pool.went(), ElementsAre(1, 4, 5));
  pool.settle(4);
  EXPECT_THAT(pool.went(), ElementsAre(6));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(2, 3));
}

TEST(KvShare, AnIdleEndpointTakesAnyOne) {
  PoolParams params = *preset("third");
  params.admission.assumed_capacity = TokenCount(1000);
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 5000});
  pool.submit(2, {.prompt = 5000});
  EXPECT_THAT(pool.went(), ElementsAre(1));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(KvShare, AReportedCapacityCounts) {
  PoolParams params = *preset("half");
  params.placement.wait_for_home = false;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.pool.observe(EndpointId(1), {.kv_capacity = TokenCount(400)}, pool.now, pool.now);
  for (unsigned id = 1; id <= 3; ++id) pool.submit(id);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
}

TEST(KvShare, TheRoomiestOfSeveralGroupsDecidesWhatFits) {
  PoolParams params = *preset("half");
  params.admission.assumed_capacity = TokenCount(1000);
  params.placement.wait_for_home = false;
  PoolUnderTest pool(params);
  pool.endpoint(1, {1});
  pool.endpoint(2, {1, 2});
  pool.submit(1, {.prompt = 450});
  pool.submit(2, {.prompt = 400});
  pool.submit(3, {.prompt = 150});
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  pool.submit(4, {.model = 2, .prompt = 60});
  pool.submit(5, {.prompt = 90});
  EXPECT_EQ(pool.went().size(), 1U);
  EXPECT_EQ(pool.place(2), pool.place(4) != 0 ? 2U : pool.place(5));
}

}  // namespace
}  // namespace turnpike::core
