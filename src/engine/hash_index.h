#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnpike::engine {

// Which block is found under a hash: open addressing with linear probing and a fixed size, for hashes that are well mixed
// already. A replay spends most of its time in here, and nearly all of that waiting for memory: so a look-up can be announced
// with prefetch(), which a general map does not offer.
//
// Holds at most the number of entries given to the constructor.
class HashIndex {
 public:
  explicit HashIndex(std::size_t most)
      : slots_(std::bit_ceil(most + most / 2 + 2)), mask_(slots_.size() - 1) {}

  // Nothing is found under it: kNone.
  static constexpr std::uint32_t kNone = 0xffffffff;

  void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask_]); }
  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      if (slots_[at].block == kNone || slots_[at].hash == hash) return slots_[at].block;
    }
  }
  // The block under `hash`, which is `block` from now on if there was none.
  std::uint32_t find_or_insert(std::uint64_t hash, std::uint32_t block) {
    std::size_t at = hash & mask_;
    for (; slots_[at].block != kNone; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash) return slots_[at].block;
    }
    slots_[at] = {.hash = hash, .block = block};
    return block;
  }
  // There must be an entry.
  void replace(std::uint64_t hash, std::uint32_t block) { slots_[slot_of(hash)].block = block; }
  void erase(std::uint64_t hash) {
    std::size_t hole = slot_of(hash);
    // Entries behind the hole move up unless that would put them before their own place.
    for (std::size_t at = (hole + 1) & mask_; slots_[at].block != kNone; at = (at + 1) & mask_) {
      const std::size_t home = slots_[at].hash & mask_;
      if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].block = kNone;
  }

  // Calls `visit(hash, block)` for every entry.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.block != kNone) visit(slot.hash, slot.block);
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t block = kNone;
  };

  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const {
    std::size_t at = hash & mask_;
    while (slots_[at].block == kNone || slots_[at].hash != hash) {
      assert(slots_[at].block != kNone);
      at = (at + 1) & mask_;
    }
    return at;
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
};

}  // namespace turnpike::engine
