#include "engine/hash_index.h"

#include <map>

#include <gtest/gtest.h>

#include "base/random.h"

namespace turnpike::engine {
namespace {

// Against a map, with hashes that collide a lot, filled to the bound.
TEST(HashIndex, IsAMap) {
  constexpr std::size_t kMost = 40;
  HashIndex index(kMost);
  std::map<std::uint64_t, std::uint32_t> expected;
  Random random(7);
  for (std::uint32_t round = 0; round < 20'000; ++round) {
    const std::uint64_t hash = random.below(8) + 64 * random.below(16);
    const auto known = expected.find(hash);
    if (known == expected.end()) {
      EXPECT_EQ(index.find(hash), HashIndex::kNone);
      if (expected.size() < kMost) {
        EXPECT_EQ(index.find_or_insert(hash, round), round);
        expected.emplace(hash, round);
      }
      continue;
    }
    EXPECT_EQ(index.find(hash), known->second);
    EXPECT_EQ(index.find_or_insert(hash, round), known->second);
    if (random.uniform() < 0.5) {
      index.replace(hash, round);
      known->second = round;
    } else {
      index.erase(hash);
      expected.erase(known);
    }
  }
  std::map<std::uint64_t, std::uint32_t> all;
  index.for_each([&](std::uint64_t hash, std::uint32_t block) { all.emplace(hash, block); });
  EXPECT_EQ(all, expected);
}

}  // namespace
}  // namespace turnpike::engine
