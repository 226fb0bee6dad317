#include "engine/kv_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Takes a block for each hash and publishes it; the sequence stays held.
std::vector<BlockIndex> fill(KvCache& cache, std::vector<BlockHash> chain) {
  std::vector<BlockIndex> blocks;
  for (const BlockHash hash : chain) {
    blocks.push_back(cache.take());
    cache.publish(blocks.back(), hash);
  }
  return blocks;
}

TEST(KvCache, GivesBlocksInOrderAndCountsThem) {
  KvCache cache(3);
  EXPECT_EQ(cache.total(), 3);
  EXPECT_EQ(cache.take(), 0);
  EXPECT_EQ(cache.take(), 1);
  EXPECT_EQ(cache.free(), 1);
  EXPECT_EQ(cache.holders(1), 1);
  EXPECT_EQ(cache.take(), 2);
  EXPECT_EQ(cache.free(), 0);
}

TEST(KvCache, ReleasedBlocksStayFindableAndAreFree) {
  KvCache cache(4);
  const auto blocks = fill(cache, {10, 11});
  cache.release(blocks);
  EXPECT_EQ(cache.free(), 4);
  std::vector<BlockIndex> found;
  const auto match = cache.match(std::vector<BlockHash>{10, 11, 12}, found);
  EXPECT_EQ(match.blocks, 2);
  EXPECT_EQ(match.from_free, 2);
  EXPECT_EQ(found, blocks);
}

TEST(KvCache, MatchStopsAtTheFirstGap) {
  KvCache cache(4);
  fill(cache, {10, 11, 12});
  EXPECT_EQ(cache.match_length(std::vector<BlockHash>{10, 99, 12}), 1);
  EXPECT_EQ(cache.match_length(std::vector<BlockHash>{11, 12}),
            2);  // chained hashes: cannot happen in an engine
  EXPECT_EQ(cache.match_length({}), 0);
}

TEST(KvCache, TailIsTakenBeforeTheBeginning) {
  KvCache cache(3);
  cache.release(fill(cache, {10, 11, 12}));
  const std::vector<BlockHash> chain{10, 11, 12};
  cache.take();
  EXPECT_EQ(cache.match_length(chain), 2);
  cache.take();
  EXPECT_EQ(cache.match_length(chain), 1);
  cache.take();
  EXPECT_EQ(cache.match_length(chain), 0);
}

TEST(KvCache, LongestFreeIsTakenFirstAndHoldingRenews) {
  KvCache cache(4);
  const auto a = fill(cache, {10});
  const auto b = fill(cache, {20});
  const auto c = fill(cache, {30});
  const auto d = fill(cache, {40});
  cache.release(c);
  cache.release(a);
  cache.release(d);
  cache.release(b);
  // a is used again: it goes to the end of the line.
  cache.hold(a[0]);
  cache.release(a);
  EXPECT_THAT((std::vector{cache.take(), cache.take(), cache.take(), cache.take()}),
              ElementsAre(c[0], d[0], b[0], a[0]));
}

TEST(KvCache, SharedBlockIsFreeOnlyWhenTheLastHolderLetsGo) {
  KvCache cache(2);
  const auto a = fill(cache, {10});
  cache.hold(a[0]);
  EXPECT_EQ(cache.holders(a[0]), 2);
  cache.release(a);
  EXPECT_EQ(cache.free(), 1);
  std::vector<BlockIndex> found;
  EXPECT_EQ(cache.match(std::vector<BlockHash>{10}, found).from_free, 0);
  cache.release(a);
  EXPECT_EQ(cache.free(), 2);
}

TEST(KvCache, TwinsServeForEachOther) {
  KvCache cache(3);
  const auto a = fill(cache, {10});
  const auto b = fill(cache, {10});
  const auto c = fill(cache, {10});
  std::vector<BlockIndex> found;

  cache.release(b);  // given up first: the middle of the three
  EXPECT_EQ(cache.take(), b[0]);
  EXPECT_EQ(cache.match_length(std::vector<BlockHash>{10}), 1);

  cache.release(a);
  EXPECT_EQ(cache.take(), a[0]);
  cache.match(std::vector<BlockHash>{10}, found);
  EXPECT_EQ(found, c);

  cache.release(c);
  EXPECT_EQ(cache.take(), c[0]);
  cache.match(std::vector<BlockHash>{10}, found);
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace turnpike::engine
