#include "core/pool/flow_rate.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

constexpr TimePoint at(int seconds) {
  return TimePoint(std::chrono::seconds(seconds));
}

TEST(FlowRate, IsAMeanOverTheLastMinute) {
  FlowRate rate;
  EXPECT_EQ(rate.per_second(at(100)), 0.0);
  rate.add(600, at(100));
  EXPECT_DOUBLE_EQ(rate.per_second(at(100)), 600) << "at least one second";
  EXPECT_DOUBLE_EQ(rate.per_second(at(110)), 60);
  rate.add(600, at(150));
  EXPECT_DOUBLE_EQ(rate.per_second(at(159)), 1200.0 / 59);
  EXPECT_DOUBLE_EQ(rate.per_second(at(160)), 10) << "the first has left the minute";
  EXPECT_EQ(rate.per_second(at(500)), 0.0);
}

}  // namespace
}  // namespace turnpike::core
