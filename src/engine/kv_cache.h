#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/hash_index.h"

namespace turnpike::engine {

// Tokens in a block of the KV cache.
inline constexpr std::int64_t kBlockTokens = 16;

// The hash of a block and of every block before it in its sequence: equal hashes mean equal
// prefixes.
using BlockHash = std::uint64_t;

constexpr std::int64_t blocks_for(std::int64_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

// Blocks of a replica's KV cache that follow each other in a prompt, as they were when somebody came to hold them; see KvCache.
struct HeldPart {
  std::uint32_t extent = 0;
  std::uint32_t blocks = 0;
};

// The blocks that one sequence holds. Only KvCache changes it.
struct Holding {
  std::vector<HeldPart> parts;  // what is published, from the beginning of the prompt on
  std::uint32_t published = 0;  // blocks in `parts`
  std::uint32_t blank = 0;      // blocks behind them that have no content to be found by

  [[nodiscard]] std::uint32_t blocks() const { return published + blank; }
};

// The blocks of one replica's KV cache: who holds them, what they contain, and in which order they
// are given up.
//
// Every block is either held (by one or more sequences) or free. A full block is published under its hash and stays findable
// after its last holder let go, until it is taken for something else; free blocks are taken in the order of letting go, the
// oldest first, and a sequence lets go of its last block first: so the tail of a prompt is given up before its beginning. Two
// blocks may carry the same hash (computed side by side); any of them serves.
//
// The account is kept by extents, not by blocks: an extent is a number of blocks that follow each other in a prompt and have
// been treated alike ever since, so that they have the same holders, and stand next to each other in the order of letting go.
// Prompts are thousands of blocks and few extents. Where blocks that were treated alike no longer are, the extent is split, and
// the new one gets the *beginning*: whoever held the whole finds it through `before`.
//
// It rests on hashes being chained. What is findable is closed towards the beginning (who lets go of a block has let go of
// what follows it), and what two chains have in common is a prefix: so in an extent it is found by halving, and what follows it
// in a prompt is either the beginning of another extent or cannot be found. Blocks with equal hashes ("twins") are
// in extents of equal content, one of which, the first, is in the index; they are split together.
//
// Invariant: free() + number of blocks with holders == total().
class KvCache {
 public:
  explicit KvCache(std::uint32_t total);

  [[nodiscard]] std::uint32_t total() const { return total_; }
  [[nodiscard]] std::uint32_t free() const { return free_; }

  struct Match {
    std::uint32_t blocks = 0;  // the longest findable prefix
    std::uint32_t from_free =
        0;  // how many of them have no holder, so that holding them uses up free blocks
  };
  // The longest prefix of `chain` that is findable; where it is, is written to `found`, for hold().
  Match match(std::span<const BlockHash> chain, std::vector<HeldPart>& found) const;
  // The length alone.
  [[nodiscard]] std::uint32_t match_length(std::span<const BlockHash> chain) const;

  // `holding`, which is empty, becomes one more holder of what the last match() found.
  void hold(std::span<const HeldPart> found, Holding& holding);
  // Gives it `blocks` blocks more without content: those that were free for longest. Needs free() >= blocks. Contents that can
  // no longer be found, since no other block has them, are appended to `forgotten`.
  void take(std::uint32_t blocks, Holding& holding, std::vector<BlockHash>* forgotten = nullptr);
  // Its first blank blocks are full now, with these contents.
  void publish(std::span<const BlockHash> contents, Holding& holding);
  // One holder less for each of its blocks, the last one first; it is empty after that.
  void release(Holding& holding);

  // Counts everything again: the invariants above, and that `holdings` are all there are. Slow; tests.
  [[nodiscard]] bool in_order(std::span<const Holding* const> holdings) const;

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = HashIndex::kNone;

  // Contents of extents that were one extent once, or are twins.
  struct Text {
    std::vector<BlockHash> hashes;
    std::uint32_t users = 0;
  };
  struct Extent {
    Index text = kNone;  // none: without content, and free
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint32_t holders = 0;
    Index before = kNone;  // has the beginning that was split off; of use to those who held both
    Index twin = kNone;    // the next with the same content
    bool first = false;    // of the twins: the one in the index
    // Neighbours in the order of letting go, while nobody holds it.
    Index older = kNone;
    Index newer = kNone;
  };

  [[nodiscard]] std::span<const BlockHash> contents(const Extent& extent) const {
    return std::span(texts_[extent.text].hashes).subspan(extent.offset, extent.length);
  }
  [[nodiscard]] static std::uint32_t common(std::span<const BlockHash> a,
                                            std::span<const BlockHash> b);
  Index new_extent(const Extent& extent);
  void drop(Index extent);
  void append_free(Index extent);
  void insert_newer(Index extent, Index than);
  void remove_free(Index extent);
  void split(Index first, std::uint32_t at);
  void give_up(Index extent, std::uint32_t blocks, std::vector<BlockHash>* forgotten);
  void leave_twins(Index extent, std::vector<BlockHash>* forgotten);
  [[nodiscard]] bool may_grow(Index extent) const;

  std::uint32_t total_;
  std::uint32_t free_ = 0;
  std::vector<Extent> extents_;
  std::vector<Index> unused_extents_;
  std::vector<Text> texts_;
  std::vector<Index> unused_texts_;
  HashIndex by_hash_;  // of an extent's first block, the extent
  Index oldest_ = kNone;
  Index newest_ = kNone;
};

}  // namespace turnpike::engine
