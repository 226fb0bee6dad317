#include "engine/kv_cache.h"

#include <cassert>

namespace turnpike::engine {
KvCache::KvCache(std::uint32_t total) : blocks_(total), by_hash_(total), free_(total) {
  for (BlockIndex block = 0; block < total; ++block) free_.append(block);
}

KvCache::Match KvCache::match(std::span<const BlockHash> chain,
                              std::vector<BlockIndex>& found) const {
  Match match;
  found.clear();
  for (std::size_t i = 0; i < chain.size(); ++i) {
    if (i + kAhead < chain.size()) by_hash_.prefetch(chain[i + kAhead]);
    const BlockIndex block = by_hash_.find(chain[i]);
    if (block == HashIndex::kNone) break;
    __builtin_prefetch(&blocks_[block]);
    found.push_back(block);
  }
  match.blocks = static_cast<std::uint32_t>(found.size());
  for (const BlockIndex block : found) match.from_free += blocks_[block].holders == 0 ? 1 : 0;
  return match;
}

std::uint32_t KvCache::match_length(std::span<const BlockHash> chain) const {
  std::uint32_t length = 0;
  while (length < chain.size() && by_hash_.find(chain[length]) != HashIndex::kNone) ++length;
  return length;
}

void KvCache::hold(BlockIndex block) {
  if (blocks_[block].holders++ == 0) free_.remove(block);
}

BlockIndex KvCache::take(std::optional<BlockHash>& forgotten) {
  __builtin_prefetch(&blocks_[free_.soon(kAhead)]);
  by_hash_.prefetch(blocks_[free_.soon(kAhead / 2)].hash);
  const BlockIndex block = free_.take();
  if (blocks_[block].published && forget(block)) forgotten = blocks_[block].hash;
  blocks_[block].holders = 1;
  return block;
}

void KvCache::publish(BlockIndex block, BlockHash hash) {
  Block& b = blocks_[block];
  assert(b.holders > 0 && !b.published);
  b.hash = hash;
  b.published = true;
  const BlockIndex first = by_hash_.find_or_insert(hash, block);
  if (first != block) {
    b.twin = blocks_[first].twin;
    blocks_[first].twin = block;
  }
}

void KvCache::release(std::span<const BlockIndex> sequence) {
  for (std::size_t i = sequence.size(); i-- > 0;) {
    const BlockIndex block = sequence[i];
    if (i >= kAhead) __builtin_prefetch(&blocks_[sequence[i - kAhead]]);
    assert(blocks_[block].holders > 0);
    if (--blocks_[block].holders == 0) free_.append(block);
  }
}

bool KvCache::in_order() const {
  std::uint32_t listed = 0;
  bool none_held = true;
  free_.for_each([&](BlockIndex block) {
    none_held = none_held && blocks_[block].holders == 0;
    ++listed;
  });
  std::uint32_t free_blocks = 0;
  std::uint32_t published = 0;
  for (const Block& block : blocks_) {
    free_blocks += block.holders == 0 ? 1 : 0;
    published += block.published ? 1 : 0;
  }
  std::uint32_t findable = 0;
  bool true_to_name = true;
  by_hash_.for_each([&](BlockHash hash, BlockIndex first) {
    for (BlockIndex block = first; block != kNil; block = blocks_[block].twin) {
      true_to_name = true_to_name && blocks_[block].hash == hash && blocks_[block].published;
      ++findable;
    }
  });
  return true_to_name && none_held && listed == free() && free_blocks == free() &&
         findable == published;
}

// True if no other block has its content.
bool KvCache::forget(BlockIndex block) {
  Block& b = blocks_[block];
  const BlockIndex first = by_hash_.find(b.hash);
  assert(first != HashIndex::kNone);
  const bool last = first == block && b.twin == kNil;
  if (first == block) {
    if (b.twin == kNil) {
      by_hash_.erase(b.hash);
    } else {
      by_hash_.replace(b.hash, b.twin);
    }
  } else {
    BlockIndex before = first;
    while (blocks_[before].twin != block) before = blocks_[before].twin;
    blocks_[before].twin = b.twin;
  }
  b.twin = kNil;
  b.published = false;
  return last;
}

}  // namespace turnpike::engine
