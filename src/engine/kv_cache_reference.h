#pragma once

#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <vector>

#include "engine/kv_cache.h"

namespace turnpike::engine::testing_support {

// KvCache told once more, block by block and without regard to time: what it does is defined by this.
class KvCacheReference {
 public:
  using Block = std::uint32_t;

  explicit KvCacheReference(std::uint32_t total) : blocks_(total) {
    for (Block block = 0; block < total; ++block) free_.push_back(block);
  }

  [[nodiscard]] std::uint32_t free() const { return static_cast<std::uint32_t>(free_.size()); }

  // The blocks of the longest findable prefix.
  [[nodiscard]] std::vector<Block> match(const std::vector<BlockHash>& chain) const {
    std::vector<Block> found;
    for (const BlockHash hash : chain) {
      const auto entry = by_hash_.find(hash);
      if (entry == by_hash_.end()) break;
      found.push_back(entry->second.front());
    }
    return found;
  }
  [[nodiscard]] std::uint32_t without_holder(const std::vector<Block>& blocks) const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(blocks, [this](Block block) { return blocks_[block].holders == 0; }));
  }
  void hold(const std::vector<Block>& blocks) {
    for (const Block block : blocks) {
      if (blocks_[block].holders++ == 0) free_.remove(block);
    }
  }
  Block take(std::vector<BlockHash>& forgotten) {
    const Block block = free_.front();
    free_.pop_front();
    Content& content = blocks_[block];
    if (content.published) {
      std::vector<Block>& same = by_hash_.at(content.hash);
      std::erase(same, block);
      if (same.empty()) {
        by_hash_.erase(content.hash);
        forgotten.push_back(content.hash);
      }
    }
    content = {.holders = 1};
    return block;
  }
  void publish(Block block, BlockHash hash) {
    blocks_[block].hash = hash;
    blocks_[block].published = true;
    // The one that is found stays it; of the others the last to come is the next.
    std::vector<Block>& same = by_hash_[hash];
    same.insert(same.empty() ? same.end() : same.begin() + 1, block);
  }
  void release(const std::vector<Block>& blocks) {
    for (std::size_t i = blocks.size(); i-- > 0;) {
      if (--blocks_[blocks[i]].holders == 0) free_.push_back(blocks[i]);
    }
  }

 private:
  struct Content {
    BlockHash hash = 0;
    std::uint32_t holders = 0;
    bool published = false;
  };

  std::vector<Content> blocks_;
  std::list<Block> free_;  // the next to be taken first
  std::map<BlockHash, std::vector<Block>> by_hash_;
};

}  // namespace turnpike::engine::testing_support
