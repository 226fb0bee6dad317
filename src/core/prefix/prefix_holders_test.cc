#include "core/prefix/prefix_holders.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/hash_chain.h"
#include "base/random.h"
#include "core/prefix/prefix_index.h"

namespace turnpike::core {
namespace {

// Prompts that branch: each block is one of two, so that many share a beginning and few an end.
std::vector<std::uint64_t> random_prompt(Random& random) {
  std::vector<std::uint64_t> blocks;
  std::uint64_t hash = 7;
  for (std::uint64_t i = 0; i < 1 + random.below(20); ++i)
    blocks.push_back(hash = chain_hash(hash, random.below(i < 4 ? 1 : 2)));
  return blocks;
}

TEST(PrefixHolders, KnowWhatEveryIndexHoldsWhateverHappensToThem) {
  constexpr std::uint32_t kEndpoints = 7;
  PrefixHolders holders;
  std::map<std::uint32_t, PrefixIndex> indexes;
  for (std::uint32_t e = 0; e < kEndpoints; ++e) {
    indexes.try_emplace(e, 60 * PrefixIndex::kBytesPerBlock).first->second.tell(&holders, e);
  }
  Random random(3);
  HeldParts parts;
  for (int step = 0; step < 5'000; ++step) {
    PrefixIndex& index = indexes.at(static_cast<std::uint32_t>(random.below(kEndpoints)));
    const std::uint64_t event = random.below(100);
    const std::uint64_t used = index.learn(random_prompt(random), random.below(5), 5'000);
    if (event == 0) index.clear();
    if (event < 10) index.lost(used);
    if (event == 50) {
      const auto e = static_cast<std::uint32_t>(random.below(kEndpoints));
      indexes.at(e).tell(nullptr, 0);
      indexes.at(e).tell(&holders, e);
    }

    const std::vector<std::uint64_t> asked = random_prompt(random);
    parts.find(holders, asked);
    std::size_t longest = 0;
    for (auto& [e, other] : indexes) {
      ASSERT_EQ(parts.of(e), other.held(asked)) << "endpoint " << e << ", step " << step;
      longest = std::max(longest, other.held(asked));
    }
    ASSERT_EQ(holders.longest(asked), longest);
  }
  for (auto& [e, index] : indexes) index.clear();
  EXPECT_EQ(holders.blocks(), 0U);
}

// A gateway cannot know that the blocks it is given are chains.
TEST(PrefixHolders, SurviveBlocksThatAreNoChain) {
  PrefixHolders holders;
  PrefixIndex one(1 << 16);
  PrefixIndex other(1 << 16);
  one.tell(&holders, 0);
  other.tell(&holders, 1);
  HeldParts parts;
  Random random(9);
  std::vector<std::uint64_t> blocks;
  for (int i = 0; i < 20'000; ++i) {
    blocks.clear();
    for (std::uint64_t n = random.below(8); n > 0; --n) blocks.push_back(random.below(12));
    parts.find(holders, blocks);
    EXPECT_LE(parts.of(0), blocks.size());
    (i % 2 == 0 ? one : other).learn(blocks, random.below(3), 100);
    if (random.below(50) == 0) one.lost(random.below(1000));
  }
}

}  // namespace
}  // namespace turnpike::core
