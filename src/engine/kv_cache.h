#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/free_list.h"
#include "engine/hash_index.h"

namespace turnpike::engine {

// Tokens in a block of the KV cache.
inline constexpr std::int64_t kBlockTokens = 16;

// The hash of a block and of every block before it in its sequence: equal hashes mean equal
// prefixes.
using BlockHash = std::uint64_t;
using BlockIndex = std::uint32_t;

constexpr std::int64_t blocks_for(std::int64_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

// The blocks of one replica's KV cache: who holds them, what they contain, and in which order they
// are given up.
//
// Every block is either held (by one or more sequences) or in the free list. A full block is
// published under its hash and stays findable after its last holder let go, until it is taken for
// something else; the free list is in the order of letting go, the oldest first. Two blocks may
// carry the same hash (computed side by side); any of them serves. Invariant: free() + number of
// blocks with holders == total().
class KvCache {
 public:
  // How many blocks ahead memory is asked for: looking up and letting go would otherwise wait for it at every block.
  static constexpr std::size_t kAhead = 12;

  explicit KvCache(std::uint32_t total);

  [[nodiscard]] std::uint32_t total() const { return static_cast<std::uint32_t>(blocks_.size()); }
  [[nodiscard]] std::uint32_t free() const { return free_.size(); }
  [[nodiscard]] std::uint32_t holders(BlockIndex block) const { return blocks_[block].holders; }

  struct Match {
    std::uint32_t blocks = 0;  // the longest findable prefix
    std::uint32_t from_free =
        0;  // how many of them have no holder, so that holding them uses up free blocks
  };
  // The longest prefix of `chain` that is findable; its blocks are written to `found`.
  Match match(std::span<const BlockHash> chain, std::vector<BlockIndex>& found) const;
  // The length alone.
  [[nodiscard]] std::uint32_t match_length(std::span<const BlockHash> chain) const;

  // One more holder for a block that match() found.
  void hold(BlockIndex block);
  // The block that was free for longest, with one holder and no content. Needs free() > 0.
  BlockIndex take() {
    std::optional<BlockHash> forgotten;
    return take(forgotten);
  }
  // `forgotten` becomes the content that can no longer be found, since no other block has it.
  BlockIndex take(std::optional<BlockHash>& forgotten);
  // Says that publish() is about to be called with this content.
  void prefetch(BlockHash hash) const { by_hash_.prefetch(hash); }
  // The held block is now full, with this content.
  void publish(BlockIndex block, BlockHash hash);
  // Walks the free list and the index: the invariant above, and that what is findable is what is published. Tests.
  [[nodiscard]] bool in_order() const;

  // One holder less for each, the last one first: so the tail of a prompt is given up before its
  // beginning.
  void release(std::span<const BlockIndex> sequence);

 private:
  static constexpr BlockIndex kNil = 0xffffffff;

  struct Block {
    BlockHash hash = 0;
    std::uint32_t holders = 0;
    BlockIndex twin = kNil;  // next block with the same hash
    bool published = false;
  };

  bool forget(BlockIndex block);

  std::vector<Block> blocks_;
  HashIndex by_hash_;
  FreeList free_;
};

}  // namespace turnpike::engine
