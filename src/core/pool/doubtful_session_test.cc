#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// Ids that may be one per request, or one per application: they are held back until a second request bears them.
namespace turnpike::core {
namespace {

using Wish = PoolUnderTest::Wish;

TEST(DoubtfulSession, IsNotTrackedUntilItsIdComesAgain) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1, Wish{.session = 7, .doubtful = true});
  pool.settle(1);
  EXPECT_EQ(pool.view().sessions_tracked, 0U);
  EXPECT_EQ(pool.view().sessions, 1U);  // the record is made at first sight

  pool.submit(2);
  pool.submit(3);
  pool.submit(4, Wish{.session = 7, .doubtful = true});
  EXPECT_EQ(pool.view().sessions_tracked, 1U);
  pool.settle(2);
  EXPECT_EQ(pool.dispatch(4).why, Why::boosted);
}

TEST(DoubtfulSession, ItsFirstTurnCountsOnlyWithinTheTtl) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.submit(1, Wish{.session = 7, .doubtful = true});
  pool.settle(1);
  pool.pass(seconds(61));
  pool.submit(2);
  pool.submit(3, Wish{.session = 7, .doubtful = true});
  EXPECT_EQ(pool.view().sessions_tracked, 0U);
  pool.settle(2);
  EXPECT_EQ(pool.dispatch(3).why, Why::cold);
  pool.settle(3);
  EXPECT_EQ(pool.view().sessions_tracked, 1U);
}

TEST(DoubtfulSession, IdsPerRequestPushNoSessionOutOfTheTracker) {
  PoolParams params = with_limit(1);
  params.order.boost.max_sessions = 2;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 1);
  for (unsigned id = 2; id < 20; ++id) {
    pool.submit(id, Wish{.session = id, .doubtful = true});
    pool.settle(id);
  }
  EXPECT_TRUE(pool.pool.session(SessionKey(1), pool.now)->boosted);
}

TEST(DoubtfulSession, HoldsNoSlotAtFirst) {
  PoolParams params = with_limit(1);
  params.grace.period = seconds(5);
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, Wish{.session = 7, .doubtful = true});
  pool.settle(1);
  EXPECT_EQ(pool.view().slots_held, 0U);
  pool.submit(2, Wish{.session = 7, .doubtful = true});
  pool.settle(2);
  EXPECT_EQ(pool.view().slots_held, 1U);
}

TEST(DoubtfulSession, HasNoPlaceInACacheAtFirst) {
  PoolUnderTest pool(*preset("resident-set"));
  pool.endpoint(1);
  const auto mode = [&] { return pool.pool.session(SessionKey(7), pool.now)->mode; };
  pool.submit(1, Wish{.session = 7, .prompt = 1000, .doubtful = true});
  pool.settle(1);
  EXPECT_EQ(mode(), SessionMode::paused);
  pool.submit(2, Wish{.session = 7, .prompt = 1100, .doubtful = true});
  pool.settle(2);
  EXPECT_EQ(mode(), SessionMode::acting);
}

TEST(DoubtfulSession, ASureIdIsTrackedAtOnce) {
  PoolUnderTest pool(with_limit(1));
  pool.endpoint(1);
  pool.turn(1, 7);
  EXPECT_EQ(pool.view().sessions_tracked, 1U);
}

// A branch of a conversation goes where that one's context is, and counts for itself.
TEST(SessionWithAParent, BeginsAtItsParentsEndpoint) {
  PoolParams params = *preset("session-boost");
  params.placement.scorers = {{core::Scorer::session, 1.0}};
  PoolUnderTest pool(params);
  for (unsigned id = 1; id <= 4; ++id) pool.endpoint(id);
  for (unsigned root = 100; root <= 900; root += 100) {
    pool.turn(root, root);
    const EndpointId home = pool.dispatch(root).endpoint;
    pool.submit(root + 1, Wish{.session = root + 1, .parent = root});
    EXPECT_EQ(pool.dispatch(root + 1).endpoint, home);
    pool.settle(root + 1);
    EXPECT_EQ(pool.pool.session(SessionKey(root + 1), pool.now)->turns, 1U);
  }
  pool.submit(5, Wish{.session = 5, .parent = 6});  // a parent that nobody knows
  EXPECT_FALSE(pool.dispatch(5).endpoint.is_none());
}

}  // namespace
}  // namespace turnpike::core
