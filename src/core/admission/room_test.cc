#include "core/admission/room.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

TEST(EstimatedWaiting, AdjustsTheGaugeForWhatHappenedSince) {
  struct Row {
    int waiting, running, dispatched, settled, slots, expected;
  };
  for (const Row& r : {
           Row{0, 0, 0, 0, 8, 0},   // idle
           Row{0, 0, 8, 0, 8, 0},   // a burst up to its slots: none waits
           Row{0, 0, 9, 0, 8, 1},   // one more
           Row{0, 8, 0, 0, 8, 0},   // full, none waits
           Row{0, 8, 1, 0, 8, 1},   //
           Row{0, 8, 1, 1, 8, 0},   // one ended, one took its place
           Row{3, 8, 0, 0, 8, 3},   //
           Row{3, 8, 0, 4, 8, 0},   // never negative
           Row{0, 10, 1, 0, 8, 1},  // more running than slots: no free ones, not minus two
           Row{3, 8, 5, 1, 0, 2},   // slots unknown: own dispatches prove nothing
           Row{0, 0, 50, 0, 0, 0},  //
       }) {
    const Occupancy e{.gauges_fresh = true,
                      .waiting = r.waiting,
                      .running = r.running,
                      .dispatched = r.dispatched,
                      .settled = r.settled,
                      .slots = r.slots};
    EXPECT_EQ(estimated_waiting(e), r.expected)
        << r.waiting << ' ' << r.running << ' ' << r.dispatched << ' ' << r.settled << ' '
        << r.slots;
  }
}

TEST(HasRoom, FollowsItsRule) {
  struct Row {
    AdmissionRule rule;
    int limit, leases, reserved, waiting;
    bool fresh;
    int slots;
    bool expected;
  };
  using enum AdmissionRule;
  EXPECT_TRUE(has_room({.rule = adaptive, .limit = 0}, {.leases = 7, .adaptive_limit = 8}, 0));
  EXPECT_FALSE(has_room({.rule = adaptive, .limit = 0}, {.leases = 7, .adaptive_limit = 8}, 1));
  EXPECT_FALSE(has_room({.rule = adaptive, .limit = 4}, {.leases = 4, .adaptive_limit = 8}, 0));
  for (const Row& r : {
           Row{none, 1, 1000, 0, 9, true, 0, true},
           Row{inflight, 2, 1, 0, 9, true, 0, true},
           Row{inflight, 2, 2, 0, 0, true, 0, false},
           Row{inflight, 2, 1, 1, 0, true, 0, false},  // a reserved slot is taken
           Row{inflight, 0, 1000, 0, 0, true, 0, true},
           Row{backpressure, 16, 0, 0, 1, true, 0, false},  // the engine queues
           Row{backpressure, 16, 0, 0, 0, true, 0, true},
           Row{backpressure, 16, 16, 0, 0, true, 0, false},
           Row{backpressure, 16, 0, 0, 1, false, 0, true},    // stale: never "closed"
           Row{backpressure, 16, 16, 0, 0, false, 0, false},  // stale: never "open"
           Row{backpressure, 0, 15, 0, 0, false, 0, true},    // the fall-back of 16
           Row{backpressure, 0, 16, 0, 0, false, 0, false},
           Row{backpressure, 0, 7, 0, 0, false, 8, true},  // slots before the fall-back
           Row{backpressure, 0, 8, 0, 0, false, 8, false},
       }) {
    const AdmissionParams params{.rule = r.rule, .limit = r.limit};
    const Occupancy e{
        .leases = r.leases, .gauges_fresh = r.fresh, .waiting = r.waiting, .slots = r.slots};
    EXPECT_EQ(has_room(params, e, r.reserved), r.expected)
        << int(r.rule) << ' ' << r.limit << ' ' << r.leases << ' ' << r.fresh << ' ' << r.slots;
  }
}

// As many as it has slots, and as many more as may wait: not one more.
TEST(HasRoom, ABurstFillsTheSlotsAndTheToleranceExactly) {
  struct Row {
    int slots, running, waiting, tolerance, expected;
  };
  for (const Row& r : {
           Row{8, 0, 0, 0, 8},
           Row{8, 0, 0, 2, 10},
           Row{8, 5, 0, 0, 3},
           Row{8, 8, 0, 0, 0},
           Row{8, 8, 0, 1, 1},
           Row{8, 8, 1, 1, 0},
           Row{8, 8, 3, 1, 0},
           Row{1, 0, 0, 0, 1},
       }) {
    const AdmissionParams params{.limit = 0, .waiting_tolerance = r.tolerance};
    Occupancy e{.leases = r.running + r.waiting,
                .gauges_fresh = true,
                .waiting = r.waiting,
                .running = r.running,
                .slots = r.slots};
    int admitted = 0;
    for (; has_room(params, e, 0) && admitted < 100; ++admitted) {
      ++e.leases;
      ++e.dispatched;
    }
    EXPECT_EQ(admitted, r.expected) << r.slots << ' ' << r.running << ' ' << r.tolerance;
    e.dispatched = 0;
    if (r.expected > 0) EXPECT_EQ(has_room(params, e, r.expected), false);
  }
}

TEST(LargestThatFits, IsWhatIsLeftOfTheShare) {
  struct Row {
    AdmissionRule rule;
    double share;
    int leases;
    std::int64_t running, capacity;
    std::int64_t expected;
    bool has_room;
  };
  using enum AdmissionRule;
  constexpr std::int64_t kAny = kAnySize.value();
  for (const Row& r : {
           Row{inflight, 0.5, 1, 100, 1000, kAny, true},  // counts no tokens
           Row{kv_share, 0.5, 0, 0, 1000, kAny, true},    // idle: any one
           Row{kv_share, 0.5, 1, 100, 1000, 400, true},
           Row{kv_share, 0.97, 1, 100, 1000, 870, true},
           Row{kv_share, 0.5, 1, 500, 1000, 0, true},  // a prompt without tokens
           Row{kv_share, 0.5, 1, 501, 1000, -1, false},
           Row{kv_share, 0.5, 1, 100, 0, 149'900, true},  // nobody knows: as assumed
       }) {
    const AdmissionParams params{.rule = r.rule, .limit = 0, .kv_share = r.share};
    const Occupancy e{.leases = r.leases,
                      .running_tokens = TokenCount(r.running),
                      .capacity = TokenCount(r.capacity)};
    EXPECT_EQ(largest_that_fits(params, e).value(), r.expected) << r.share << ' ' << r.running;
    EXPECT_EQ(has_room(params, e, 0), r.has_room) << r.share << ' ' << r.running;
  }
  const AdmissionParams two{.rule = kv_share, .limit = 2};
  EXPECT_TRUE(has_room(two, {.leases = 1}, 0));
  EXPECT_FALSE(has_room(two, {.leases = 2}, 0));
}

TEST(HasRoom, ToleranceAllowsTheEngineToQueue) {
  const AdmissionParams params{.limit = 0, .waiting_tolerance = 2};
  EXPECT_TRUE(has_room(params, {.gauges_fresh = true, .waiting = 2}, 0));
  EXPECT_FALSE(has_room(params, {.gauges_fresh = true, .waiting = 3}, 0));
}

}  // namespace
}  // namespace turnpike::core
