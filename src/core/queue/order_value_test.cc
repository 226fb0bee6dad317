#include "core/queue/order_value.h"

#include <gtest/gtest.h>

#include "core/queue/tenant_accounts.h"
#include "core/session/gaps.h"
#include "core/session/rules.h"

namespace turnpike::core {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr TimePoint at(double s) {
  return TimePoint(from_seconds(s));
}

std::int64_t value(SessionOrder order, const OrderFacts& facts) {
  return order_value({.sessions = order}, facts);
}

TEST(OrderValue, PutsTheRightOneFirst) {
  struct Row {
    SessionOrder order;
    OrderFacts first, second;
  };
  for (const Row& r : {
           Row{SessionOrder::critical_path,
               {.critical_path = seconds(1)},
               {.critical_path = seconds(2)}},
           Row{SessionOrder::plas, {.attained = 3000}, {.attained = 5000}},
           Row{SessionOrder::las, {.attained = 3000}, {.attained = 3001}},
           // 1000 tokens now are less than 1000 tokens of which half will be forgotten by then.
           Row{SessionOrder::las,
               {.attained = 1000, .now = at(0)},
               {.attained = 1000, .now = at(600)}},
           Row{SessionOrder::turn_priority, {.turns = 5}, {.turns = 4}},
           Row{SessionOrder::turn_priority,
               {.arrival = at(0), .turns = 1},
               {.arrival = at(21), .turns = 2}},
           Row{SessionOrder::turn_priority,
               {.arrival = at(0), .turns = 2},
               {.arrival = at(19), .turns = 2}},
           Row{SessionOrder::wspt, {.uncached = TokenCount(100)}, {.uncached = TokenCount(101)}},
           Row{SessionOrder::wspt,
               {.priority = 1, .uncached = TokenCount(190)},
               {.uncached = TokenCount(100)}},
           Row{SessionOrder::deadline, {.deadline = at(1)}, {.deadline = at(2)}},
           Row{SessionOrder::deadline, {.deadline = at(1e6)}, {}},
       }) {
    EXPECT_LT(value(r.order, r.first), value(r.order, r.second)) << int(r.order);
  }
}

TEST(OrderValue, PlasLevelsDouble) {
  const auto level = [](double attained) {
    return value(SessionOrder::plas, {.attained = attained});
  };
  EXPECT_EQ(level(0), 0);
  EXPECT_EQ(level(3999), 0);
  EXPECT_EQ(level(4000), 1);
  EXPECT_EQ(level(11'999), 1);
  EXPECT_EQ(level(12'000), 2);
}

TEST(StarvesAt, IsWhenTheRatioIsPassed) {
  const StarvationParams params{.ratio = 2.0, .least_service = seconds(1)};
  EXPECT_EQ(starves_at(params, at(10), Duration{0}, Duration{0}), at(12))
      << "the divisor is at least a second";
  EXPECT_EQ(starves_at(params, at(10), seconds(3), seconds(5)), at(17));
  EXPECT_EQ(starves_at({.ratio = 0}, at(10), seconds(3), seconds(5)), TimePoint::max());
}

TEST(CriticalPath, SerialTurnsAddUpAndParallelOnesCountOnce) {
  Duration session{0};
  session = critical_path_after(session, Duration{0}, seconds(5));
  EXPECT_EQ(session, seconds(5));
  session = critical_path_after(session, seconds(5), seconds(3));
  EXPECT_EQ(session, seconds(8));
  session = critical_path_after(session, seconds(5), seconds(2));
  EXPECT_EQ(session, seconds(8)) << "a parallel one that was shorter";
}

TEST(MainChain, IsWhatExtendsItOrIsLongerThanHalf) {
  EXPECT_TRUE(is_main_chain(TokenCount(10), TokenCount(1000), true));
  EXPECT_FALSE(is_main_chain(TokenCount(500), TokenCount(1000), false));
  EXPECT_TRUE(is_main_chain(TokenCount(501), TokenCount(1000), false));
}

TEST(GapStatistics, ConvergeOnMeanMedianAndP90) {
  GapStatistics gaps(seconds(5));
  EXPECT_EQ(gaps.mean(), seconds(5));
  EXPECT_EQ(gaps.median(), seconds(5));
  EXPECT_FALSE(gaps.known());
  for (int i = 0; i < 2000; ++i) gaps.add(seconds(i * 7 % 10));
  EXPECT_NEAR(to_seconds(gaps.mean()), 4.5, 2.0);
  EXPECT_NEAR(to_seconds(gaps.median()), 4.5, 1.5);
  EXPECT_NEAR(to_seconds(gaps.p90()), 8.5, 1.5);
}

TEST(TenantAccounts, FairShareForgetsWhatHasLeftTheWindow) {
  TenantAccounts accounts;
  const FairnessParams params;
  accounts.roll(params, at(0));
  accounts.begins_to_wait(TenantKey(1), 2.0);
  accounts.charge(TenantKey(1), 1000, at(0));
  EXPECT_DOUBLE_EQ(accounts.usage(TenantOrder::fair_share, TenantKey(1)), 500) << "over its weight";
  accounts.roll(params, at(299));
  EXPECT_DOUBLE_EQ(accounts.usage(TenantOrder::fair_share, TenantKey(1)), 500);
  accounts.roll(params, at(301));
  EXPECT_DOUBLE_EQ(accounts.usage(TenantOrder::fair_share, TenantKey(1)), 0);
  accounts.waits_no_more(TenantKey(1));
  accounts.roll(params, at(400));
  EXPECT_EQ(accounts.size(), 0U) << "nothing is kept of one who is gone";
}

TEST(TenantAccounts, VtcLiftsWhoReturns) {
  TenantAccounts accounts;
  accounts.begins_to_wait(TenantKey(1), 1);
  accounts.charge(TenantKey(1), 1000, at(0));
  accounts.begins_to_wait(TenantKey(2), 1);
  EXPECT_DOUBLE_EQ(accounts.usage(TenantOrder::vtc, TenantKey(2)), 1000)
      << "being away earns no credit";
}

}  // namespace
}  // namespace turnpike::core
