#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnpike::engine {

// A number under a hash: open addressing with linear probing, for hashes that are well mixed already. Grows when it is two
// thirds full, and never shrinks.
class HashIndex {
 public:
  // Room for so many entries before it first grows.
  explicit HashIndex(std::size_t entries)
      : slots_(std::bit_ceil(entries + entries / 2 + 2)), mask_(slots_.size() - 1) {}

  // Nothing is found under it: kNone.
  static constexpr std::uint32_t kNone = 0xffffffff;

  [[nodiscard]] std::uint32_t find(std::uint64_t hash) const {
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      if (slots_[at].value == kNone || slots_[at].hash == hash) return slots_[at].value;
    }
  }
  // The number under `hash`, which is `value` from now on if there was none.
  std::uint32_t find_or_insert(std::uint64_t hash, std::uint32_t value) {
    if (3 * (size_ + 1) > 2 * slots_.size()) grow();
    std::size_t at = hash & mask_;
    for (; slots_[at].value != kNone; at = (at + 1) & mask_) {
      if (slots_[at].hash == hash) return slots_[at].value;
    }
    slots_[at] = {.hash = hash, .value = value};
    ++size_;
    return value;
  }
  // There must be an entry.
  void replace(std::uint64_t hash, std::uint32_t value) { slots_[slot_of(hash)].value = value; }
  void erase(std::uint64_t hash) {
    std::size_t hole = slot_of(hash);
    // Entries behind the hole move up unless that would put them before their own place.
    for (std::size_t at = (hole + 1) & mask_; slots_[at].value != kNone; at = (at + 1) & mask_) {
      const std::size_t home = slots_[at].hash & mask_;
      if (((at - home) & mask_) < ((at - hole) & mask_)) continue;
      slots_[hole] = slots_[at];
      hole = at;
    }
    slots_[hole].value = kNone;
    --size_;
  }

  // Calls `visit(hash, value)` for every entry.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.value != kNone) visit(slot.hash, slot.value);
    }
  }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t value = kNone;
  };

  [[nodiscard]] std::size_t slot_of(std::uint64_t hash) const {
    std::size_t at = hash & mask_;
    while (slots_[at].value == kNone || slots_[at].hash != hash) {
      assert(slots_[at].value != kNone);
      at = (at + 1) & mask_;
    }
    return at;
  }

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    mask_ = slots_.size() - 1;
    size_ = 0;
    for (const Slot& slot : old) {
      if (slot.value != kNone) find_or_insert(slot.hash, slot.value);
    }
  }

  std::vector<Slot> slots_;
  std::size_t mask_;
  std::size_t size_ = 0;
};

}  // namespace turnpike::engine
