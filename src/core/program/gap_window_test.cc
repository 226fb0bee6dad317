#include "core/program/gap_window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace turnpike::core {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;

TEST(BestHold, IsAGapAtWhichTheTimeSavedMostExceedsTheTimeIdled) {
  struct Row {
    std::vector<float> gaps;
    double cost, share, expected;
  };
  for (const Row& r : {
           Row{{}, 10, 0.1, 0},
           Row{{1}, 10, 1, 1},               // saves 10, idles 1
           Row{{1}, 1, 1, 0},                // saves 1, idles 1: never positive
           Row{{1, 1, 1, 40}, 2, 0.2, 1},    // 1.5 - 0.2 beats 2 - 2.15
           Row{{1, 1, 1, 40}, 20, 0.2, 40},  // 20 - 2.15 beats 15 - 0.2
           Row{{1, 2, 3, 4}, 100, 0.1, 4},
           Row{{5, 5, 5, 5}, 0.4, 0.1, 0},  // saves 0.4, idles 0.5
           Row{{5, 5, 5, 5}, 0.6, 0.1, 5},
       }) {
    EXPECT_DOUBLE_EQ(best_hold(r.gaps, r.cost, r.share), r.expected) << r.cost << ' ' << r.share;
  }
}

TEST(GapWindow, KeepsTheLastHundredSorted) {
  GapWindow gaps;
  for (const int gap : {5, 1, 3}) gaps.add(seconds(gap));
  EXPECT_THAT(gaps.sorted(), ElementsAre(1, 3, 5));
  for (int i = 0; i < 97; ++i) gaps.add(seconds(10));
  EXPECT_EQ(gaps.sorted().size(), 100U);
  gaps.add(seconds(2));  // for the 5, the oldest
  EXPECT_THAT(gaps.sorted().subspan(0, 4), ElementsAre(1, 2, 3, 10));
  gaps.add(seconds(-1));
  EXPECT_THAT(gaps.sorted().subspan(0, 4), ElementsAre(0, 2, 3, 10));
  EXPECT_EQ(gaps.sorted().size(), 100U);
}

}  // namespace
}  // namespace turnpike::core
