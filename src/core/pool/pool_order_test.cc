#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

// The orders as a pool applies them, and what it remembers of sessions.
namespace turnpike::core {
namespace {

using testing::ElementsAre;

PoolParams ordered(SessionOrder order, TenantOrder tenants = TenantOrder::none) {
  PoolParams params = with_limit(1);
  params.order.sessions = order;
  params.order.tenants = tenants;
  params.waits.queue_timeout = kForever;
  return params;
}

std::vector<unsigned> drain(PoolUnderTest& pool, unsigned running) {
  std::vector<unsigned> order;
  pool.forget();
  for (unsigned current = running; current != 0;) {
    pool.settle(current, Ending::cancelled);
    const std::vector<unsigned> went = pool.went();
    current = went.empty() ? 0 : went.front();
    order.insert(order.end(), went.begin(), went.end());
  }
  return order;
}

// A finished turn of a session that ran so long and used so many tokens.
void turn(PoolUnderTest& pool, unsigned id, unsigned session, Duration ran,
          std::int64_t output = 10) {
  pool.submit(id, session);
  pool.pass(ran);
  pool.settle(id, Ending::finished,
              {.prompt_tokens = TokenCount(100),
               .cached_tokens = TokenCount(0),
               .output_tokens = TokenCount(output)});
}

TEST(Orders, CriticalPathServesTheShortestFirst) {
  PoolUnderTest pool(ordered(SessionOrder::critical_path));
  pool.endpoint(1);
  turn(pool, 1, 7, seconds(5));
  turn(pool, 2, 8, seconds(2));
  pool.submit(3);
  pool.submit(4, 7);
  pool.submit(5, 8);
  pool.submit(6, 9);
  EXPECT_THAT(drain(pool, 3), ElementsAre(6, 5, 4));
}

TEST(Orders, CriticalPathRescuesWhoHasWaitedTooLongOnceInSixteen) {
  PoolUnderTest pool(ordered(SessionOrder::critical_path));
  pool.endpoint(1);
  turn(pool, 1, 7, seconds(5));
  pool.submit(2);
  pool.submit(3, 7);
  for (unsigned id = 100; id < 140; ++id) pool.submit(id, id);
  pool.pass(seconds(
      11));  // 7 waited longer than twice its 5 s; the others longer than twice the least service
  const std::vector<unsigned> order = drain(pool, 2);
  EXPECT_GE(std::ranges::find(order, 3U) - order.begin(), 13);
  EXPECT_LT(std::ranges::find(order, 3U) - order.begin(), 41);
}

TEST(Orders, LasAndPlasServeTheLeastServedFirst) {
  for (const SessionOrder order : {SessionOrder::las, SessionOrder::plas}) {
    PoolUnderTest pool(ordered(order));
    pool.endpoint(1);
    turn(pool, 1, 7, milliseconds(1), 20'000);
    turn(pool, 2, 8, milliseconds(1), 10);
    pool.submit(3);
    pool.submit(4, 7);
    pool.submit(5, 8);
    EXPECT_THAT(drain(pool, 3), ElementsAre(5, 4));
  }
}

TEST(Orders, TurnPriorityServesTheDeepestFirst) {
  PoolUnderTest pool(ordered(SessionOrder::turn_priority));
  pool.endpoint(1);
  turn(pool, 1, 7, milliseconds(1));
  pool.submit(2);
  pool.submit(3, 8);
  pool.submit(4, 7);
  EXPECT_THAT(drain(pool, 2), ElementsAre(4, 3));
}

TEST(Orders, WsptServesTheLeastWorkFirst) {
  PoolUnderTest pool(ordered(SessionOrder::wspt));
  pool.endpoint(1);
  turn(pool, 1, 7, milliseconds(1));
  pool.submit(2);
  pool.submit(3, {.prompt = 300});
  pool.submit(4, {.session = 7, .prompt = 310});  // 110 of it are held
  EXPECT_THAT(drain(pool, 2), ElementsAre(4, 3));
}

TEST(Orders, PriorityClassesComeBeforeEverythingElse) {
  PoolParams params = ordered(SessionOrder::session_boost);
  params.order.priority_classes = true;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.turn(1, 7);
  pool.submit(2);
  pool.submit(3, 7);
  pool.submit(4, {.priority = 1});
  pool.submit(5, {.priority = -1});
  EXPECT_THAT(drain(pool, 2), ElementsAre(4, 3, 5));
}

TEST(Orders, FairShareServesTheModestTenantFirst) {
  for (const TenantOrder tenants : {TenantOrder::fair_share, TenantOrder::vtc}) {
    PoolUnderTest pool(ordered(SessionOrder::fcfs, tenants));
    pool.endpoint(1);
    pool.submit(1, {.tenant = 5});
    for (unsigned id = 10; id < 16; ++id) pool.submit(id, {.tenant = 5});
    for (unsigned id = 20; id < 23; ++id) pool.submit(id, {.tenant = 6});
    const std::vector<unsigned> order = drain(pool, 1);
    const auto last_modest = std::ranges::find(order, 22U) - order.begin();
    EXPECT_LE(last_modest, 6) << "served alternately, not after the flood";
  }
}

TEST(Orders, FairnessAndBoostTogether) {
  PoolParams params = ordered(SessionOrder::session_boost, TenantOrder::fair_share);
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.session = 7, .tenant = 5});
  pool.settle(1);
  pool.submit(2, {.tenant = 5});
  pool.submit(3, {.tenant = 5});
  pool.submit(4, {.session = 7, .tenant = 5});
  pool.submit(5, {.session = 9, .tenant = 6});
  EXPECT_THAT(drain(pool, 2), ElementsAre(5, 4, 3)) << "the tenant first, then the boost";
}

TEST(SessionState, CriticalPathAndWaitsAsInTheAncestor) {
  PoolUnderTest pool(ordered(SessionOrder::critical_path));
  pool.endpoint(1);
  pool.submit(1);
  pool.submit(2, 7);
  pool.pass(seconds(2));
  pool.settle(1, Ending::cancelled);
  pool.pass(seconds(5));
  pool.settle(2);
  pool.submit(3);
  pool.submit(4, 7);
  pool.pass(seconds(1));
  pool.settle(3, Ending::cancelled);
  pool.pass(seconds(3));
  pool.settle(4);
  const auto session = pool.pool.session(SessionKey(7), pool.now);
  ASSERT_TRUE(session);
  EXPECT_EQ(session->critical_path, seconds(8));
  EXPECT_EQ(session->total_wait, seconds(3));
}

TEST(SessionState, ASideCallLeavesTheMainChainAlone) {
  PoolUnderTest pool;
  pool.endpoint(1);
  pool.submit(1, {.session = 7, .prompt = 1000});
  pool.settle(1);
  pool.submit(2, {.session = 7, .prompt = 100});
  pool.settle(2);
  EXPECT_EQ(pool.pool.session(SessionKey(7), pool.now)->context_tokens, TokenCount(1000));
  EXPECT_EQ(pool.pool.session(SessionKey(7), pool.now)->turns, 1U);
  pool.submit(3, {.session = 7, .prompt = 1400});
  pool.settle(
      3, Ending::finished,
      {.prompt_tokens = TokenCount(1500), .cached_tokens = {}, .output_tokens = TokenCount(50)});
  EXPECT_EQ(pool.pool.session(SessionKey(7), pool.now)->context_tokens, TokenCount(1550));
  EXPECT_EQ(pool.pool.session(SessionKey(7), pool.now)->turns, 2U);
}

TEST(Prefix, ABurstWithOnePrefixDoesNotScatter) {
  PoolParams params;
  params.placement.scorers = {{Scorer::prefix, 1}};
  PoolUnderTest pool(params);
  for (unsigned e = 1; e <= 4; ++e) pool.endpoint(e);
  pool.submit(1, {.prompt = 4000, .blocks = {1, 2, 3, 4}});
  pool.submit(2, {.prompt = 5000, .blocks = {1, 2, 3, 4, 5}});
  pool.submit(3, {.prompt = 5000, .blocks = {1, 2, 3, 4, 6}});
  EXPECT_EQ(pool.place(2), pool.place(1));
  EXPECT_EQ(pool.place(3), pool.place(1));
  EXPECT_EQ(pool.endpoint_view(pool.place(1)).backlog_tokens, TokenCount(4000 + 1000 + 1000));
}

TEST(Prefix, IsCorrectedByWhatAnswersReport) {
  PoolParams params;
  params.placement.scorers = {{Scorer::prefix, 1}};
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.prompt = 4000, .blocks = {1, 2, 3, 4}});
  pool.submit(2, {.prompt = 4000, .blocks = {11, 12, 13, 14}});
  pool.settle(1);
  pool.settle(2);
  pool.submit(3, {.prompt = 5000, .blocks = {11, 12, 13, 14, 15}});
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(1000));
  pool.settle(3, Ending::finished,
              {.prompt_tokens = {}, .cached_tokens = TokenCount(0), .output_tokens = {}});
  pool.submit(4, {.prompt = 4000, .blocks = {1, 2, 3, 4}});
  EXPECT_EQ(pool.endpoint_view(1).backlog_tokens, TokenCount(4000)) << "older than what was lost";
}

}  // namespace
}  // namespace turnpike::core
