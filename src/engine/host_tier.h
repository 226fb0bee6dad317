#pragma once

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/free_list.h"
#include "engine/hash_index.h"

namespace turnpike::engine {

// A second tier of the cache in host memory: the contents that were put there last, as many as fit. A look-up leaves them where
// they are.
class HostTier {
 public:
  explicit HostTier(std::uint32_t blocks) : by_hash_(blocks), order_(blocks), hashes_(blocks) {}

  // The content is there from now on, the last to go.
  void put(std::uint64_t hash) {
    if (hashes_.empty()) return;
    std::uint32_t place = by_hash_.find(hash);
    if (place != HashIndex::kNone) {
      order_.remove(place);
    } else {
      if (used_ < hashes_.size()) {
        place = used_++;
      } else {
        place = order_.take();
        by_hash_.erase(hashes_[place]);
      }
      hashes_[place] = hash;
      by_hash_.find_or_insert(hash, place);
    }
    order_.append(place);
  }
  // How many of `chain` are there, up to the first that is not.
  [[nodiscard]] std::int64_t match_length(std::span<const std::uint64_t> chain) const {
    std::int64_t length = 0;
    for (const std::uint64_t hash : chain) {
      if (by_hash_.find(hash) == HashIndex::kNone) break;
      ++length;
    }
    return length;
  }

 private:
  HashIndex by_hash_;
  FreeList order_;  // of letting go
  std::vector<std::uint64_t> hashes_;
  std::uint32_t used_ = 0;
};

}  // namespace turnpike::engine
