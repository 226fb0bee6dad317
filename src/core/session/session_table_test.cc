#include "core/session/session_table.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

constexpr TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

void touch(SessionTable& table, unsigned key, TimePoint now) {
  table.rest(table.wake(SessionKey(key), TenantKey(1), now), now);
}

TEST(SessionTable, ForgetsTheLongestIdleBeyondItsBound) {
  SessionTable table({.max_sessions = 2});
  touch(table, 1, at(1));
  touch(table, 2, at(2));
  touch(table, 1, at(3));
  touch(table, 3, at(4));
  EXPECT_NE(table.find(SessionKey(1)), nullptr);
  EXPECT_EQ(table.find(SessionKey(2)), nullptr);
  EXPECT_EQ(table.size(), 2U);
  EXPECT_EQ(table.evicted(), 1U);
}

TEST(SessionTable, NeverForgetsOneWithARequest) {
  SessionTable table({.max_sessions = 1});
  Session& busy = table.wake(SessionKey(1), TenantKey(1), at(1));
  ++busy.in_flight;
  for (unsigned key = 2; key < 10; ++key) touch(table, key, at(2));
  EXPECT_EQ(table.find(SessionKey(1)), &busy);
  table.forget(SessionKey(1));
  EXPECT_EQ(table.find(SessionKey(1)), &busy);
  --busy.in_flight;
  table.rest(busy, at(3));
  EXPECT_EQ(table.size(), 1U);
}

TEST(SessionTable, LookingNeitherCreatesNorRefreshes) {
  SessionTable table({.max_sessions = 2});
  touch(table, 1, at(1));
  touch(table, 2, at(2));
  EXPECT_NE(table.find(SessionKey(1)), nullptr);
  EXPECT_EQ(table.find(SessionKey(9)), nullptr);
  EXPECT_EQ(table.find(SessionKey::none()), nullptr);
  touch(table, 3, at(3));
  EXPECT_EQ(table.find(SessionKey(1)), nullptr);
}

TEST(SessionTable, ExpiresByTtlInBoundedSteps) {
  SessionTable table({.ttl = std::chrono::seconds(10)});
  for (unsigned key = 1; key <= 5; ++key) touch(table, key, at(0));
  EXPECT_EQ(table.next_expiry(), at(10));
  table.expire(at(9), 100);
  EXPECT_EQ(table.size(), 5U);
  table.expire(at(10), 2);
  EXPECT_EQ(table.size(), 3U);
  table.expire(at(10), 100);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_FALSE(table.next_expiry());
}

TEST(SessionTable, ASessionIsSmall) {
  EXPECT_LE(sizeof(Session), 176U);
}

}  // namespace
}  // namespace turnpike::core
