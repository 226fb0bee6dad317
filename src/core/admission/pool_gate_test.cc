#include "core/admission/pool_gate.h"

#include <gtest/gtest.h>

#include "core/admission/grace_period.h"
#include "core/admission/rate_bucket.h"

namespace turnpike::core {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(PoolGate, IsOneForAllEndpoints) {
  struct Row {
    int limit;
    std::size_t in_flight, dispatchable, calm;
    bool open;
  };
  for (const Row& r : {
           Row{16, 0, 3, 3, true},
           Row{16, 47, 3, 1, true},   // all of them at one endpoint, perhaps
           Row{16, 48, 3, 3, false},  // the sum is reached
           Row{16, 0, 3, 0, false},   // something waits everywhere, it was last said
           Row{16, 0, 0, 0, false},
           Row{0, 1000, 3, 1, true},
       }) {
    EXPECT_EQ(gate_open({.limit = r.limit},
                        {.in_flight = r.in_flight, .dispatchable = r.dispatchable, .calm = r.calm}),
              r.open)
        << r.in_flight << ' ' << r.dispatchable << ' ' << r.calm;
  }
}

TEST(RateBucket, LetsABurstGoAndThenOneAtATime) {
  const AdmissionParams params{.rule = AdmissionRule::rate, .rate = 2.0, .burst = 3};
  RateBucket bucket;
  TimePoint now{seconds(100)};
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(bucket.open(now)) << i;
    bucket.taken(params, now);
  }
  EXPECT_FALSE(bucket.open(now));
  EXPECT_EQ(bucket.opens_at(), now + milliseconds(500));
  now += milliseconds(500);
  EXPECT_TRUE(bucket.open(now));
  bucket.notice(now);
  EXPECT_EQ(bucket.opens_at(), std::nullopt);
  bucket.taken(params, now);
  EXPECT_FALSE(bucket.open(now + milliseconds(499)));
  now += seconds(60);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(bucket.open(now)) << i;
    bucket.taken(params, now);
  }
  EXPECT_FALSE(bucket.open(now));
}

TEST(GracePeriod, IsTheMedianGapIfThatSavesMoreThanItIdles) {
  struct Row {
    Duration gap;
    std::int64_t context;
    double seconds_per_token;
    Duration expected;
  };
  for (const Row& r : {
           Row{seconds(1), 20'000, 1e-4, seconds(1)},    // saves 1 s, idles 0.75 s
           Row{seconds(2), 20'000, 1e-4, seconds(0)},    // idles 1.5 s
           Row{seconds(2), 40'000, 1e-4, seconds(2)},    //
           Row{seconds(1), 20'000, 1e-5, seconds(0)},    // a fast engine
           Row{seconds(20), 100'000, 1e-4, seconds(0)},  // somebody who reads
           Row{Duration(0), 0, 1e-4, seconds(0)},
       }) {
    EXPECT_EQ(grace_period(r.gap, TokenCount(r.context), r.seconds_per_token), r.expected)
        << r.context << ' ' << to_seconds(r.gap);
  }
}

}  // namespace
}  // namespace turnpike::core
