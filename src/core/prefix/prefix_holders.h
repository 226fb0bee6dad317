#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/inlined_vector.h>

#include "core/prefix/longest_part.h"

namespace turnpike::core {

// Which endpoints of a pool hold a block of a prompt: the PrefixIndexes of all of them the other way round, kept by them. One
// look-up finds the few that hold anything of a prompt, however many endpoints there are. Endpoints are small numbers here.
class PrefixHolders {
 public:
  void add(std::uint64_t block, std::uint32_t endpoint) { holders_[block].push_back(endpoint); }
  void remove(std::uint64_t block, std::uint32_t endpoint);

  // How many of the blocks, from the first, some endpoint holds. O(log n).
  [[nodiscard]] std::size_t longest(std::span<const std::uint64_t> blocks) const {
    return longest_part(blocks, [&](std::uint64_t block) { return holders_.contains(block); });
  }
  // Calls visit(endpoint, number of blocks) for all that hold some, those with most first; an endpoint may come again with less.
  template <typename Visit>
  void for_each(std::span<const std::uint64_t> blocks, Visit visit) const {
    for (std::size_t held = longest(blocks); held > 0;) {
      const auto these = holders_.find(blocks[held - 1]);
      if (these == holders_.end()) return;
      for (const std::uint32_t endpoint : these->second) visit(endpoint, held);
      // Whoever holds a block holds all before it: find the last block that more endpoints hold. Blocks that are no chain (what a
      // peer sends is not believed to be one) give a wrong number, nothing worse.
      std::size_t fewer = held;
      held = 0;
      while (fewer - held > 1) {
        const std::size_t middle = held + (fewer - held) / 2;
        const auto there = holders_.find(blocks[middle - 1]);
        const bool more = there != holders_.end() && there->second.size() > these->second.size();
        (more ? held : fewer) = middle;
      }
    }
  }
  [[nodiscard]] std::size_t blocks() const { return holders_.size(); }

 private:
  using Endpoints = absl::InlinedVector<std::uint32_t, 4>;
  absl::flat_hash_map<std::uint64_t, Endpoints> holders_;
};

// What the endpoints of a pool hold of one prompt. Memory is kept from one look-up to the next.
class HeldParts {
 public:
  void find(const PrefixHolders& holders, std::span<const std::uint64_t> blocks) {
    for (const std::uint32_t endpoint : found_) held_[endpoint] = 0;
    found_.clear();
    holders.for_each(blocks, [&](std::uint32_t endpoint, std::size_t held) {
      if (endpoint >= held_.size()) held_.resize(endpoint + 1);
      if (held_[endpoint] != 0) return;
      held_[endpoint] = static_cast<std::uint32_t>(held);
      found_.push_back(endpoint);
    });
  }
  // Blocks, from the first.
  [[nodiscard]] std::size_t of(std::uint32_t endpoint) const {
    return endpoint < held_.size() ? held_[endpoint] : 0;
  }
  // Those that hold some, most first.
  [[nodiscard]] std::span<const std::uint32_t> found() const { return found_; }

 private:
  std::vector<std::uint32_t> held_;  // by endpoint
  std::vector<std::uint32_t> found_;
};

}  // namespace turnpike::core
