#include "core/admission/adaptive.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

constexpr TimePoint at(double s) {
  return TimePoint(from_seconds(s));
}

TEST(AdaptiveLimit, RisesByOneASecondWhileInUse) {
  AdaptiveLimit limit;
  EXPECT_EQ(limit.value(), 8);
  for (int second = 0; second <= 4; ++second) limit.observe(false, true, at(second));
  EXPECT_EQ(limit.value(), 12);
  for (int second = 5; second <= 50; ++second) limit.observe(false, false, at(second));
  EXPECT_EQ(limit.value(), 12) << "a limit that nobody reaches proves nothing";
}

TEST(AdaptiveLimit, FallsByAFifthAtMostOnceInFiveSeconds) {
  AdaptiveLimit limit;
  limit.observe(true, true, at(0));
  EXPECT_EQ(limit.value(), 6);
  limit.observe(true, true, at(4.9));
  EXPECT_EQ(limit.value(), 6);
  limit.observe(true, true, at(5));
  EXPECT_EQ(limit.value(), 5);
  for (int i = 2; i < 40; ++i) limit.observe(true, true, at(5.0 * i));
  EXPECT_EQ(limit.value(), 1) << "never closed";
}

}  // namespace
}  // namespace turnpike::core
