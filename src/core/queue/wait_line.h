#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include <absl/container/inlined_vector.h>

namespace turnpike::core {

// What one that waits keeps of its place in a WaitLine. A million may wait: what is needed before it leaves and what is known
// after share their room.
struct WaitTicket {
  struct Waiting {
    std::uint32_t left_before = 0;        // of all that ever left the line, those before it came
    std::uint32_t dispatched_before = 0;  // of those, the ones that were dispatched
  };
  struct Fared {
    std::uint32_t still_ahead = 0;  // of those ahead, how many still waited when it left
    // How many came later and left first. Exact unless somebody gave up while it waited; then it may count those.
    std::uint32_t overtaken = 0;
  };

  std::uint32_t number = 0;
  std::uint32_t ahead = 0;  // how many waited when it came
  union {
    Waiting waiting{};
    Fared fared;  // once it has left
  };
};

// Those who wait, numbered in the order in which they came: how many of them came before one. O(log n), nothing is allocated for the
// first 256. Numbers are never used twice, so when they run out (full()) the owner numbers those who are left again.
class WaitLine {
 public:
  enum class End : std::uint8_t { dispatched, gave_up };

  [[nodiscard]] bool full() const { return next_ == words_.size() * kBits; }
  [[nodiscard]] std::uint32_t size() const { return size_; }

  void enter(WaitTicket& ticket) {
    ticket = {.ahead = size_, .waiting = {.left_before = left_, .dispatched_before = dispatched_}};
    number_again(ticket);
    ++size_;
  }
  void leave(WaitTicket& ticket, End end) {
    words_[ticket.number / kBits] &= ~bit(ticket.number);
    add(ticket.number / kBits, ~std::uint32_t{0});
    --size_;
    const std::uint32_t still_ahead = before(ticket.number);
    const std::uint32_t went_ahead = ticket.ahead - still_ahead;
    const std::uint32_t later = left_ - ticket.waiting.left_before - went_ahead;
    const std::uint32_t dispatched = dispatched_ - ticket.waiting.dispatched_before;
    ticket.fared = {.still_ahead = still_ahead, .overtaken = std::min(later, dispatched)};
    ++left_;
    if (end == End::dispatched) ++dispatched_;
  }

  // When it is full: makes room for at least as many again as wait, who then get new numbers in the order in which they came.
  void start_over() {
    const std::size_t words = std::bit_ceil(std::size_t{size_} * 2 / kBits + kFirstWords);
    words_.assign(words, 0);
    sums_.assign(words, 0);
    next_ = 0;
  }
  void number_again(WaitTicket& ticket) {
    assert(!full());
    ticket.number = next_++;
    words_[ticket.number / kBits] |= bit(ticket.number);
    add(ticket.number / kBits, 1);
  }

 private:
  static constexpr std::uint32_t kBits = 64;
  static constexpr std::size_t kFirstWords = 4;

  static std::uint64_t bit(std::uint32_t number) { return std::uint64_t{1} << (number % kBits); }
  // A Fenwick tree over the words: sums_[i - 1] is the sum of the last (i & -i) words up to i.
  void add(std::size_t word, std::uint32_t amount) {
    for (std::size_t i = word + 1; i <= sums_.size(); i += i & (~i + 1)) sums_[i - 1] += amount;
  }
  [[nodiscard]] std::uint32_t before(std::uint32_t number) const {
    const std::uint64_t lower = words_[number / kBits] & (bit(number) - 1);
    auto count = static_cast<std::uint32_t>(std::popcount(lower));
    for (std::size_t i = number / kBits; i > 0; i &= i - 1) count += sums_[i - 1];
    return count;
  }

  using Words = absl::InlinedVector<std::uint64_t, kFirstWords>;
  using Sums = absl::InlinedVector<std::uint32_t, kFirstWords>;
  Words words_ = Words(kFirstWords, 0);  // a bit for every number that still waits
  Sums sums_ = Sums(kFirstWords, 0);
  std::uint32_t next_ = 0;
  std::uint32_t size_ = 0;
  // They wrap around: only what was added to them while somebody waited matters.
  std::uint32_t left_ = 0;
  std::uint32_t dispatched_ = 0;
};

}  // namespace turnpike::core
