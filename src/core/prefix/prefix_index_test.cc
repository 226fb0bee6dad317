#include "core/prefix/prefix_index.h"

#include <gtest/gtest.h>

#include "base/hash_chain.h"

namespace turnpike::core {
namespace {

using Blocks = std::vector<std::uint64_t>;

// `shared` blocks that all prompts have, then `own` ones of this prompt.
Blocks prompt(std::uint64_t who, std::size_t own, std::size_t shared = 0) {
  Blocks blocks;
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < shared; ++i) blocks.push_back(hash = chain_hash(hash, i));
  for (std::size_t i = 0; i < own; ++i)
    blocks.push_back(hash = chain_hash(hash, who * 1'000'000 + i));
  return blocks;
}

TEST(PrefixIndex, FindsTheLongestHeldPart) {
  PrefixIndex index(1 << 20);
  index.learn(prompt(1, 100), 1, 1000);
  for (const std::size_t n : {0U, 1U, 2U, 3U, 7U, 64U, 99U, 100U})
    EXPECT_EQ(index.held(prompt(1, n)), n);
  EXPECT_EQ(index.held(prompt(1, 500)), 100U);
  EXPECT_EQ(index.held(prompt(2, 10)), 0U);
  EXPECT_EQ(index.held({}), 0U);
}

TEST(PrefixIndex, SharesBranches) {
  PrefixIndex index(1 << 20);
  index.learn(prompt(1, 5, 10), 1, 1000);
  index.learn(prompt(2, 5, 10), 2, 1000);
  EXPECT_EQ(index.blocks(), 20U);
  EXPECT_EQ(index.held(prompt(3, 5, 10)), 10U);
}

TEST(PrefixIndex, KnowsWhatIsSharedBetweenOwners) {
  PrefixIndex index(1 << 20);
  index.learn(prompt(1, 5, 10), 1, 15 * 256);
  index.learn(prompt(1, 6, 10), 1, 16 * 256);
  EXPECT_EQ(index.shared(prompt(1, 6, 10)), 0U) << "a session shares nothing with itself";
  index.learn(prompt(2, 5, 10), 2, 15 * 256);
  EXPECT_EQ(index.shared(prompt(1, 6, 10)), 10U);
  EXPECT_EQ(index.shared(prompt(3, 5, 10)), 10U);
  EXPECT_DOUBLE_EQ(index.shared_tokens(), 10 * 256.0);
  index.clear();
  EXPECT_DOUBLE_EQ(index.shared_tokens(), 0);
}

TEST(PrefixIndex, ForgetsTheTailOfWhatWasUsedLongestAgo) {
  PrefixIndex index(30 * PrefixIndex::kBytesPerBlock);
  index.learn(prompt(1, 10), 1, 1000);
  index.learn(prompt(2, 10), 2, 1000);
  index.learn(prompt(3, 10), 3, 1000);
  EXPECT_EQ(index.blocks(), 30U) << "exactly full";
  index.learn(prompt(1, 10), 1, 1000);  // used again
  index.learn(prompt(4, 5), 4, 1000);
  EXPECT_EQ(index.held(prompt(1, 10)), 10U);
  EXPECT_EQ(index.held(prompt(2, 10)), 5U) << "its tail went first";
  EXPECT_EQ(index.held(prompt(4, 5)), 5U);
  EXPECT_EQ(index.blocks(), 30U);
}

TEST(PrefixIndex, AGrowingConversationCostsOnlyItsNewBlocks) {
  PrefixIndex index(1 << 20);
  for (std::size_t n = 1; n <= 50; ++n) index.learn(prompt(1, n), 1, 1000);
  EXPECT_EQ(index.blocks(), 50U);
  EXPECT_EQ(index.held(prompt(1, 50)), 50U);
}

TEST(PrefixIndex, WhatTheEngineLostTakesEverythingOlderWithIt) {
  PrefixIndex index(1 << 20);
  index.learn(prompt(1, 10), 1, 1000);
  index.learn(prompt(2, 10), 2, 1000);
  index.learn(prompt(3, 10), 3, 1000);
  const std::uint64_t used = index.learn(prompt(2, 12), 2, 1000);
  index.lost(used);
  EXPECT_EQ(index.held(prompt(1, 10)), 0U);
  EXPECT_EQ(index.held(prompt(2, 12)), 12U) << "computed again just now";
  EXPECT_EQ(index.held(prompt(3, 10)), 10U);
  index.clear();
  EXPECT_EQ(index.held(prompt(3, 10)), 0U);
  EXPECT_EQ(index.learn(prompt(3, 10), 3, 1000), 0U);
}

TEST(PrefixIndex, APromptLargerThanTheIndexIsBounded) {
  PrefixIndex index(4 * PrefixIndex::kBytesPerBlock);
  index.learn(prompt(1, 10), 1, 1000);
  EXPECT_LE(index.blocks(), 4U);
  EXPECT_EQ(index.held(prompt(1, 10)), 4U);
}

}  // namespace
}  // namespace turnpike::core
