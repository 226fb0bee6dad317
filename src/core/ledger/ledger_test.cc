#include "core/ledger/ledger.h"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

namespace turnpike::core {
namespace {

constexpr TimePoint at(double s) {
  return TimePoint(from_seconds(s));
}

static_assert(!std::is_copy_constructible_v<Lease> && std::is_nothrow_move_constructible_v<Lease>);

TEST(Ledger, ALeaseGivesItselfBackExactlyOnce) {
  Ledger ledger(0, TokenCount(0));
  {
    Lease lease = ledger.take(TokenCount(100), TokenCount(60), at(1));
    Lease moved = std::move(lease);
    EXPECT_FALSE(lease);  // NOLINT(bugprone-use-after-move): an empty lease is defined
    EXPECT_EQ(ledger.leases(), 1);
    EXPECT_EQ(ledger.running_tokens(), TokenCount(100));
    EXPECT_EQ(ledger.backlog(), TokenCount(60));
    moved.give_back(at(2));
    moved.give_back(at(3));
    EXPECT_EQ(ledger.leases(), 0);
  }
  EXPECT_EQ(ledger.leases(), 0);
  EXPECT_EQ(ledger.backlog(), TokenCount(0));
  EXPECT_EQ(ledger.settled_since_scrape(), 1);
}

TEST(Ledger, AssigningOverALeaseGivesTheOldOneBack) {
  Ledger ledger(0, TokenCount(0));
  Lease lease = ledger.take(TokenCount(1), TokenCount(1), at(1));
  lease = ledger.take(TokenCount(2), TokenCount(2), at(2));
  EXPECT_EQ(ledger.leases(), 1);
  EXPECT_EQ(ledger.running_tokens(), TokenCount(2));
}

TEST(Ledger, AFirstTokenLeavesTheBacklogOnce) {
  Ledger ledger(0, TokenCount(0));
  Lease a = ledger.take(TokenCount(100), TokenCount(60), at(1));
  Lease b = ledger.take(TokenCount(100), TokenCount(50), at(1));
  a.first_token(at(2), true);
  a.first_token(at(3), true);
  EXPECT_EQ(ledger.backlog(), TokenCount(50));
  EXPECT_EQ(ledger.running_tokens(), TokenCount(200));
}

TEST(Ledger, CountsWhatHappenedSinceTheScrapeBegan) {
  Ledger ledger(0, TokenCount(0));
  Lease a = ledger.take(TokenCount(1), TokenCount(1), at(1));
  Lease b = ledger.take(TokenCount(1), TokenCount(1), at(3));
  ledger.observe({.running = 5, .waiting = 1, .kv_usage = {}, .kv_capacity = {}}, at(2), at(4));
  EXPECT_EQ(ledger.dispatched_since_scrape(), 1);
  EXPECT_EQ(ledger.foreign(), 5) << "six were there at 2 s, one of them ours";
  a.give_back(at(5));
  EXPECT_EQ(ledger.settled_since_scrape(), 1);
  ledger.observe({.running = 9, .waiting = {}, .kv_usage = {}, .kv_capacity = {}}, at(1.5), at(6));
  EXPECT_EQ(ledger.gauges().running, 5) << "an older scrape is ignored";
  ledger.observe({.running = 1, .waiting = {}, .kv_usage = {}, .kv_capacity = {}}, at(6), at(6));
  EXPECT_EQ(ledger.settled_since_scrape(), 0);
  EXPECT_EQ(ledger.foreign(), 0);
}

TEST(Ledger, ConfiguredSlotsAndCapacityComeFirst) {
  Ledger configured(4, TokenCount(1000));
  Ledger reported(0, TokenCount(0));
  const Gauges gauges{.running = 9, .waiting = 1, .kv_usage = {}, .kv_capacity = TokenCount(5000)};
  configured.observe(gauges, at(1), at(1));
  reported.observe(gauges, at(1), at(1));
  EXPECT_EQ(configured.slots(at(1)), 4);
  EXPECT_EQ(reported.slots(at(1)), 9);
  EXPECT_EQ(configured.capacity(), TokenCount(1000));
  EXPECT_EQ(reported.capacity(), TokenCount(5000));
}

TEST(Ledger, PrefillSpeedIgnoresShortPromptsAndQueueingBehindAnother) {
  Ledger ledger(0, TokenCount(0));
  Lease tiny = ledger.take(TokenCount(255), TokenCount(255), at(0));
  tiny.first_token(at(9), true);
  EXPECT_DOUBLE_EQ(ledger.seconds_per_token(), 1e-4);
  Lease behind = ledger.take(TokenCount(1000), TokenCount(1000), at(0));
  behind.first_token(at(10), true);  // it was computed from 9 s on
  const double seconds = 0.2048 + 0.05 * (1.0 - 0.2048);
  const double tokens = 2048 + 0.05 * (1000 - 2048);
  EXPECT_NEAR(ledger.seconds_per_token(), seconds / tokens, 1e-12);
}

// A prompt of 300 tokens waits for a step as one of 3000 does.
TEST(Ledger, PrefillSpeedIsNotRuledByPromptsThatAreShort) {
  Ledger ledger(0, TokenCount(0));
  TimePoint now = at(0);
  for (int i = 0; i < 200; ++i) {
    const TokenCount prompt(i % 2 == 0 ? 300 : 3000);
    Lease lease = ledger.take(prompt, prompt, now);
    now += std::chrono::milliseconds(i % 2 == 0 ? 30 : 60);
    lease.first_token(now, true);
  }
  EXPECT_NEAR(ledger.seconds_per_token(), 90e-3 / 3300, 2e-6);
}

}  // namespace
}  // namespace turnpike::core
