#include "engine/kv_cache.h"

#include <cassert>
#include <ranges>

namespace turnpike::engine {

KvCache::KvCache(std::uint32_t total) : blocks_(total) {
  by_hash_.reserve(total);
  for (BlockIndex block = 0; block < total; ++block) append(block);
}

KvCache::Match KvCache::match(std::span<const BlockHash> chain,
                              std::vector<BlockIndex>& found) const {
  Match match;
  found.clear();
  for (const BlockHash hash : chain) {
    const auto entry = by_hash_.find(hash);
    if (entry == by_hash_.end()) break;
    found.push_back(entry->second);
    ++match.blocks;
    if (blocks_[entry->second].holders == 0) ++match.from_free;
  }
  return match;
}

std::uint32_t KvCache::match_length(std::span<const BlockHash> chain) const {
  std::uint32_t length = 0;
  while (length < chain.size() && by_hash_.contains(chain[length])) ++length;
  return length;
}

void KvCache::hold(BlockIndex block) {
  if (blocks_[block].holders++ == 0) unlink(block);
}

BlockIndex KvCache::take() {
  assert(free_ > 0);
  const BlockIndex block = oldest_;
  unlink(block);
  if (blocks_[block].published) forget(block);
  blocks_[block].holders = 1;
  return block;
}

void KvCache::publish(BlockIndex block, BlockHash hash) {
  Block& b = blocks_[block];
  assert(b.holders > 0 && !b.published);
  b.hash = hash;
  b.published = true;
  const auto [entry, first] = by_hash_.try_emplace(hash, block);
  if (!first) {
    b.twin = blocks_[entry->second].twin;
    blocks_[entry->second].twin = block;
  }
}

void KvCache::release(std::span<const BlockIndex> sequence) {
  for (const BlockIndex block : std::views::reverse(sequence)) {
    assert(blocks_[block].holders > 0);
    if (--blocks_[block].holders == 0) append(block);
  }
}

bool KvCache::in_order() const {
  std::uint32_t listed = 0;
  BlockIndex last = kNil;
  for (BlockIndex block = oldest_; block != kNil; block = blocks_[block].newer) {
    if (blocks_[block].holders != 0 || blocks_[block].older != last || listed++ > total()) {
      return false;
    }
    last = block;
  }
  std::uint32_t free_blocks = 0;
  std::uint32_t published = 0;
  for (const Block& block : blocks_) {
    free_blocks += block.holders == 0 ? 1 : 0;
    published += block.published ? 1 : 0;
  }
  std::uint32_t findable = 0;
  for (const auto& [hash, first] : by_hash_) {
    for (BlockIndex block = first; block != kNil; block = blocks_[block].twin) {
      if (blocks_[block].hash != hash || !blocks_[block].published) return false;
      ++findable;
    }
  }
  return last == newest_ && listed == free_ && free_blocks == free_ && findable == published;
}

void KvCache::unlink(BlockIndex block) {
  Block& b = blocks_[block];
  (b.older == kNil ? oldest_ : blocks_[b.older].newer) = b.newer;
  (b.newer == kNil ? newest_ : blocks_[b.newer].older) = b.older;
  b.older = b.newer = kNil;
  --free_;
}

void KvCache::append(BlockIndex block) {
  Block& b = blocks_[block];
  b.older = newest_;
  b.newer = kNil;
  (newest_ == kNil ? oldest_ : blocks_[newest_].newer) = block;
  newest_ = block;
  ++free_;
}

void KvCache::forget(BlockIndex block) {
  Block& b = blocks_[block];
  const auto entry = by_hash_.find(b.hash);
  assert(entry != by_hash_.end());
  if (entry->second == block) {
    if (b.twin == kNil) {
      by_hash_.erase(entry);
    } else {
      entry->second = b.twin;
    }
  } else {
    BlockIndex before = entry->second;
    while (blocks_[before].twin != block) before = blocks_[before].twin;
    blocks_[before].twin = b.twin;
  }
  b.twin = kNil;
  b.published = false;
}

}  // namespace turnpike::engine
