#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnpike::engine {

// The blocks that nobody holds, in the order of letting go. Any of them may leave at any time.
//
// A ring of block numbers in which leaving only clears the block's own note of its place: what is left behind is skipped at the
// front, and swept together when the ring is full. Unlike a linked list, it says what comes next without asking each block
// (that would be a wait for memory each time).
class FreeList {
 public:
  // Blocks 0..total-1, none of them in the list.
  explicit FreeList(std::uint32_t total)
      : places_(total, kNowhere),
        ring_(std::bit_ceil(std::size_t{4} * total + 16)),
        mask_(ring_.size() - 1) {}

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool contains(std::uint32_t block) const { return places_[block] != kNowhere; }

  // Behind all others. Must not be in the list.
  void append(std::uint32_t block) {
    assert(!contains(block));
    if (end_ - begin_ == ring_.size()) sweep();
    ring_[end_ & mask_] = block;
    places_[block] = end_++;
    ++size_;
  }
  // Must be in the list.
  void remove(std::uint32_t block) {
    assert(contains(block));
    places_[block] = kNowhere;
    --size_;
  }
  // The one that came first; leaves. Needs size() > 0.
  std::uint32_t take() {
    assert(size_ > 0);
    while (places_[ring_[begin_ & mask_]] != begin_) ++begin_;
    const std::uint32_t block = ring_[begin_++ & mask_];
    remove(block);
    return block;
  }
  // A guess at what take() will give after `ahead` others.
  [[nodiscard]] std::uint32_t soon(std::size_t ahead) const {
    return ring_[(begin_ + ahead) & mask_];
  }

  // Calls `visit(block)` in order.
  template <typename Visit>
  void for_each(Visit visit) const {
    for (std::uint64_t at = begin_; at != end_; ++at) {
      if (places_[ring_[at & mask_]] == at) visit(ring_[at & mask_]);
    }
  }

 private:
  static constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

  void sweep() {
    std::uint64_t to = begin_;
    for (std::uint64_t at = begin_; at != end_; ++at) {
      const std::uint32_t block = ring_[at & mask_];
      if (places_[block] != at) continue;
      ring_[to & mask_] = block;
      places_[block] = to++;
    }
    end_ = to;
  }

  std::vector<std::uint64_t> places_;  // of each block in the ring
  std::vector<std::uint32_t> ring_;
  std::size_t mask_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace turnpike::engine
