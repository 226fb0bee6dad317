#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/units.h"
#include "core/prefix/prefix_holders.h"

namespace turnpike::core {

// Which prefixes one endpoint probably holds: a tree of prompt blocks (chained hashes, so that one hash stands for a whole
// prefix), learned when a request is dispatched. Bounded in bytes: the leaf used longest ago goes first, so that a block never
// goes before those that extend it. It knows nothing about the engine's own evictions but what answers report.
class PrefixIndex {
 public:
  // Measured with its share of the pool's PrefixHolders.
  static constexpr std::size_t kBytesPerBlock = 112;

  explicit PrefixIndex(std::size_t max_bytes)
      : max_blocks_(std::max<std::size_t>(1, max_bytes / kBytesPerBlock)) {}

  // From now on `holders` knows what this index holds, as endpoint number `endpoint`; null: nobody does. It must outlive this.
  void tell(PrefixHolders* holders, std::uint32_t endpoint);

  // How many of the blocks, from the first, it holds. O(log n): a block is held only if all before it are.
  [[nodiscard]] std::size_t held(std::span<const std::uint64_t> blocks) const;

  // The endpoint is about to compute these. O(blocks that are new). Returns when the longest part it held already was used last,
  // for lost(); 0 if it held none.
  // `owner`: the session (or request) whose prompt this is; a part that two owners have is shared. `tokens`: of the prompt.
  std::uint64_t learn(std::span<const std::uint64_t> blocks, std::uint64_t owner, double tokens);
  // How many of the blocks, from the first, are shared between owners.
  [[nodiscard]] std::size_t shared(std::span<const std::uint64_t> blocks) const;
  // Tokens of all shared parts, each counted once.
  [[nodiscard]] double shared_tokens() const {
    return static_cast<double>(shared_blocks_) * tokens_per_block_;
  }
  // An answer showed that a part used last at `used` was not there any more: then nothing that was used before is.
  void lost(std::uint64_t used);
  void clear();

  [[nodiscard]] std::size_t blocks() const { return nodes_.size(); }

 private:
  using Place = std::uint32_t;  // in slots_, from 1; 0: none
  struct Node {
    std::uint64_t hash = 0;
    std::uint64_t used = 0;
    std::uint64_t owner = 0;
    Place parent = 0;
    Place children = 0;
    Place older = 0;  // neighbours among the leaves
    Place newer = 0;
    bool shared = false;
  };

  void mark_shared(Place place);
  void take_back();

  void link_newest(Place place);
  void link_oldest(Place place);
  void unlink(Place place);
  void evict_oldest();

  const std::size_t max_blocks_;
  PrefixHolders* holders_ = nullptr;
  std::uint32_t endpoint_ = 0;  // its number there
  absl::flat_hash_map<std::uint64_t, Place> nodes_;
  std::vector<Node> slots_{Node{}};
  std::vector<Place> free_;
  Place oldest_ = 0;
  Place newest_ = 0;
  std::uint64_t clock_ = 0;
  std::size_t shared_blocks_ = 0;
  double tokens_per_block_ = 0;
};

}  // namespace turnpike::core
