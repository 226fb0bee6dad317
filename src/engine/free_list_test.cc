#include "engine/free_list.h"

#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"

namespace turnpike::engine {
namespace {

std::vector<std::uint32_t> listed(const FreeList& list) {
  std::vector<std::uint32_t> blocks;
  list.for_each([&](std::uint32_t block) { blocks.push_back(block); });
  return blocks;
}

// Against a plain vector, long enough for the ring to be swept many times.
TEST(FreeList, KeepsTheOrderOfLettingGo) {
  constexpr std::uint32_t kTotal = 9;
  FreeList list(kTotal);
  std::vector<std::uint32_t> expected;
  Random random(3);
  for (int round = 0; round < 50'000; ++round) {
    const auto block = static_cast<std::uint32_t>(random.below(kTotal));
    const auto known = std::ranges::find(expected, block);
    if (known == expected.end()) {
      EXPECT_FALSE(list.contains(block));
      list.append(block);
      expected.push_back(block);
    } else if (random.uniform() < 0.7) {
      list.remove(block);
      expected.erase(known);
    } else {
      EXPECT_EQ(list.take(), expected.front());
      expected.erase(expected.begin());
    }
    ASSERT_EQ(list.size(), expected.size());
    if (round % 16 == 0) {
      ASSERT_EQ(listed(list), expected);
    }
  }
}

}  // namespace
}  // namespace turnpike::engine
