#include "core/queue/overtakes.h"

#include <gtest/gtest.h>

namespace turnpike::core {
namespace {

Arrival arrival(std::uint64_t n) {
  return {.at = TimePoint(Duration(n)), .number = n};
}

TEST(Overtakes, CountsLaterArrivalsThatWentEarlier) {
  Overtakes overtakes;
  EXPECT_TRUE(overtakes.dispatched(arrival(5), arrival(1)));
  EXPECT_TRUE(overtakes.dispatched(arrival(3), arrival(1)));
  EXPECT_EQ(overtakes.of(arrival(1)), 2);
  EXPECT_EQ(overtakes.of(arrival(4)), 1);
  EXPECT_EQ(overtakes.of(arrival(6)), 0);
}

TEST(Overtakes, AnEarlierArrivalOvertakesNobody) {
  Overtakes overtakes;
  EXPECT_FALSE(overtakes.dispatched(arrival(1), arrival(2)));
  EXPECT_EQ(overtakes.of(arrival(2)), 0);
}

TEST(Overtakes, TheNextInLineKeepsItsOwnCount) {
  Overtakes overtakes;
  overtakes.dispatched(arrival(3), arrival(1));
  overtakes.dispatched(arrival(5), arrival(1));
  overtakes.earliest_is(arrival(4));  // 1 and 2 have left
  EXPECT_EQ(overtakes.of(arrival(4)), 1);
  overtakes.nobody_waits();
  EXPECT_EQ(overtakes.of(arrival(4)), 0);
}

}  // namespace
}  // namespace turnpike::core
