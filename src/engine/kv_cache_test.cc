#include "engine/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash_chain.h"
#include "engine/engine_test_support.h"

namespace turnpike::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<BlockHash> text(std::uint64_t name, std::int64_t blocks) {
  return testing_support::chain_of(name, blocks * kBlockTokens);
}

// A sequence that has found nothing and computed `chain`.
Holding filled(KvCache& cache, const std::vector<BlockHash>& chain) {
  Holding holding;
  cache.take(static_cast<std::uint32_t>(chain.size()), holding);
  cache.publish(chain, holding);
  return holding;
}

// One that has found as much of `chain` as there is.
Holding finder(KvCache& cache, const std::vector<BlockHash>& chain) {
  std::vector<HeldPart> found;
  cache.match(chain, found);
  Holding holding;
  cache.hold(found, holding);
  return holding;
}

TEST(KvCache, CountsBlocks) {
  KvCache cache(3);
  EXPECT_EQ(cache.total(), 3);
  EXPECT_EQ(cache.free(), 3);
  Holding a;
  cache.take(2, a);
  EXPECT_EQ(a.blocks(), 2);
  EXPECT_EQ(cache.free(), 1);
  Holding b;
  cache.take(1, b);
  EXPECT_EQ(cache.free(), 0);
  cache.release(a);
  EXPECT_EQ(a.blocks(), 0);
  EXPECT_EQ(cache.free(), 2);
  EXPECT_TRUE(cache.in_order(std::vector<const Holding*>{&b}));
}

TEST(KvCache, ReleasedBlocksStayFindableAndAreFree) {
  KvCache cache(4);
  Holding a = filled(cache, text(1, 2));
  cache.release(a);
  EXPECT_EQ(cache.free(), 4);
  std::vector<HeldPart> found;
  const auto match = cache.match(text(1, 3), found);
  EXPECT_EQ(match.blocks, 2);
  EXPECT_EQ(match.from_free, 2);
}

TEST(KvCache, MatchEndsWhereTheTextsPart) {
  KvCache cache(16);
  Holding a = filled(cache, text(1, 12));
  EXPECT_EQ(cache.match_length(text(1, 12)), 12);
  EXPECT_EQ(cache.match_length(text(1, 30)), 12);
  EXPECT_EQ(cache.match_length(text(2, 12)), 0);
  EXPECT_EQ(cache.match_length({}), 0);
  for (std::int64_t common = 0; common <= 12; ++common) {
    auto other = text(1, common);
    const BlockHash hash = other.empty() ? 1 : other.back();
    other.push_back(chain_hash(hash, 77));
    other.push_back(chain_hash(other.back(), 77));
    EXPECT_EQ(cache.match_length(other), common);
  }
  cache.release(a);
}

TEST(KvCache, TailIsTakenBeforeTheBeginning) {
  KvCache cache(3);
  const auto chain = text(1, 3);
  Holding a = filled(cache, chain);
  cache.release(a);
  Holding b;
  std::vector<BlockHash> forgotten;
  for (std::uint32_t left = 3; left-- > 0;) {
    cache.take(1, b, &forgotten);
    EXPECT_EQ(cache.match_length(chain), left);
  }
  EXPECT_THAT(forgotten, ElementsAre(chain[2], chain[1], chain[0]));
}

TEST(KvCache, LongestFreeIsTakenFirstAndHoldingRenews) {
  KvCache cache(4);
  std::vector<Holding> each;
  for (std::uint64_t name = 0; name < 4; ++name) each.push_back(filled(cache, text(name, 1)));
  for (const std::size_t i : {2U, 0U, 3U, 1U}) cache.release(each[i]);
  // The first is used again: it goes to the end of the line.
  Holding again = finder(cache, text(0, 1));
  cache.release(again);
  Holding taker;
  std::vector<BlockHash> forgotten;
  cache.take(4, taker, &forgotten);
  EXPECT_THAT(forgotten, ElementsAre(text(2, 1)[0], text(3, 1)[0], text(1, 1)[0], text(0, 1)[0]));
}

TEST(KvCache, SharedBeginningIsFreeOnlyWhenTheLastHolderLetsGo) {
  KvCache cache(8);
  Holding a = filled(cache, text(1, 6));
  Holding b = finder(cache, text(1, 4));
  EXPECT_EQ(b.published, 4);
  cache.release(a);
  EXPECT_EQ(cache.free(), 4);  // two behind what they share, and two that were never taken
  std::vector<HeldPart> found;
  const auto match = cache.match(text(1, 6), found);
  EXPECT_EQ(match.blocks, 6);
  EXPECT_EQ(match.from_free, 2);
  cache.release(b);
  EXPECT_EQ(cache.free(), 8);
}

// It grows on after somebody else has found a part of it, or all of it.
TEST(KvCache, GrowsBesideWhoSharesIt) {
  KvCache cache(20);
  const auto chain = text(1, 12);
  Holding a = filled(cache, text(1, 4));
  for (const std::int64_t shared : {2, 4}) {
    Holding b = finder(cache, text(1, shared));
    cache.take(2, a);
    cache.publish(std::span(chain).subspan(a.published, 2), a);
    EXPECT_EQ(cache.match_length(chain), a.published);
    EXPECT_TRUE(cache.in_order(std::vector<const Holding*>{&a, &b}));
    cache.release(b);
  }
  cache.release(a);
  EXPECT_EQ(cache.free(), 20);
}

TEST(KvCache, TwinsServeForEachOther) {
  KvCache cache(3);
  const auto chain = text(1, 1);
  Holding a = filled(cache, chain);
  Holding b = filled(cache, chain);
  Holding c = filled(cache, chain);
  Holding taker;
  std::vector<BlockHash> forgotten;

  cache.release(b);  // given up first: the middle of the three
  cache.take(1, taker, &forgotten);
  EXPECT_EQ(cache.match_length(chain), 1);
  cache.release(a);
  cache.take(1, taker, &forgotten);
  EXPECT_EQ(cache.match_length(chain), 1);
  EXPECT_THAT(forgotten, IsEmpty());
  cache.release(c);
  cache.take(1, taker, &forgotten);
  EXPECT_EQ(cache.match_length(chain), 0);
  EXPECT_THAT(forgotten, ElementsAre(chain[0]));
}

// One who computes a part of what is there, is found in place of it when it is gone.
TEST(KvCache, TwinOfAPart) {
  KvCache cache(12);
  const auto chain = text(1, 6);
  Holding a = filled(cache, chain);
  Holding b = filled(cache, text(1, 3));
  cache.release(a);
  Holding taker;
  cache.take(3 + 5, taker);  // what was never taken, and of a's all but the first block
  EXPECT_EQ(cache.match_length(chain), 3);
  EXPECT_TRUE(cache.in_order(std::vector<const Holding*>{&b, &taker}));
  cache.release(b);
  Holding c = finder(cache, chain);
  EXPECT_EQ(c.published, 3);
  EXPECT_TRUE(cache.in_order(std::vector<const Holding*>{&c, &taker}));
}

}  // namespace
}  // namespace turnpike::engine
