#include "core/health/breaker.h"

#include <gtest/gtest.h>

#include "core/health/dispatchable.h"

namespace turnpike::core {
namespace {

using std::chrono::seconds;
using enum BreakerState;
using enum FailureKind;

constexpr TimePoint at(double s) {
  return TimePoint(from_seconds(s));
}

TEST(Breaker, OpensAfterConsecutiveFailuresOnly) {
  Breaker breaker;
  const BreakerParams params{.failures = 3};
  EXPECT_FALSE(breaker.failure(params, died, at(1)));
  EXPECT_FALSE(breaker.failure(params, died, at(2)));
  breaker.success();
  EXPECT_FALSE(breaker.failure(params, bad_gateway, at(3)));
  EXPECT_FALSE(breaker.failure(params, bad_gateway, at(4)));
  EXPECT_EQ(breaker.state(at(4)), closed);
  EXPECT_TRUE(breaker.failure(params, refused, at(5)));
  EXPECT_EQ(breaker.state(at(5)), open);
}

TEST(Breaker, SaturationIsNoFailure) {
  Breaker breaker;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(breaker.failure({.failures = 1}, saturated, at(i)));
  EXPECT_EQ(breaker.state(at(10)), closed);
}

TEST(Breaker, ProbesAfterTheOpenTimeAndDoublesItOnFailure) {
  Breaker breaker;
  const BreakerParams params{.failures = 1, .open_time = seconds(1), .max_open_time = seconds(3)};
  EXPECT_TRUE(breaker.failure(params, died, at(0)));
  EXPECT_EQ(breaker.state(at(0.999)), open);
  EXPECT_EQ(breaker.state(at(1)), half_open);
  breaker.request_sent(at(1));
  EXPECT_TRUE(breaker.probing());
  EXPECT_TRUE(breaker.failure(params, died, at(1)));
  EXPECT_FALSE(breaker.probing());
  EXPECT_EQ(breaker.open_until(), at(3));
  EXPECT_TRUE(breaker.failure(params, died, at(3)));
  EXPECT_EQ(breaker.open_until(), at(6)) << "bounded";
  breaker.request_sent(at(6));
  breaker.success();
  EXPECT_EQ(breaker.state(at(6)), closed);
  EXPECT_TRUE(breaker.failure(params, died, at(7)));
  EXPECT_EQ(breaker.open_until(), at(8)) << "a success starts over";
}

TEST(Breaker, LateFailuresOfOldRequestsDoNotProlongIt) {
  Breaker breaker;
  const BreakerParams params{.failures = 1};
  EXPECT_TRUE(breaker.failure(params, died, at(0)));
  EXPECT_FALSE(breaker.failure(params, died, at(0.5)));
  EXPECT_EQ(breaker.open_until(), at(1));
}

TEST(Breaker, ZeroFailuresNeverOpen) {
  Breaker breaker;
  for (int i = 0; i < 100; ++i) breaker.failure({.failures = 0}, died, at(i));
  EXPECT_EQ(breaker.state(at(100)), closed);
}

TEST(Dispatchable, FollowsTheTable) {
  struct Row {
    HealthFacts facts;
    bool panic, expected;
  };
  for (const Row& r : {
           Row{{}, false, true},
           Row{{.draining = true}, true, false},
           Row{{.removed = true}, true, false},
           Row{{.healthy = false}, true, false},  // panic never overrules the active check
           Row{{.breaker = open}, false, false},
           Row{{.breaker = open}, true, true},
           Row{{.breaker = open, .refuses = true}, true, false},  // nor a refused connection
           Row{{.breaker = half_open}, false, true},
           Row{{.breaker = half_open, .probing = true}, false, false},
           Row{{.breaker = half_open, .probing = true}, true, true},
           Row{{.breaker = half_open, .refuses = true}, false, true},  // one probe, to find out
           Row{{.breaker = half_open, .probing = true, .refuses = true}, true, false},
       }) {
    EXPECT_EQ(is_dispatchable(r.facts, r.panic), r.expected)
        << to_string(r.facts.breaker) << ' ' << r.facts.probing << r.facts.refuses << r.panic;
  }
}

TEST(Panic, BeginsBelowTheThreshold) {
  EXPECT_FALSE(is_panic(2, 4, 0.5));
  EXPECT_TRUE(is_panic(1, 4, 0.5));
  EXPECT_FALSE(is_panic(0, 0, 0.5));
}

}  // namespace
}  // namespace turnpike::core
