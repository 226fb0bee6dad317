#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace turnpike::core {

// Elements with stable addresses and small stable numbers, without one allocation each. Numbers start at 1 (0 is none) and are
// used again. Memory grows with the largest number of elements alive at once and is kept.
template <typename T>
class Slab {
 public:
  using Number = std::uint32_t;

  template <typename... Args>
  Number emplace(Args&&... args) {
    if (free_.empty()) {
      if (end_ % kChunk == 0) chunks_.push_back(std::make_unique<Chunk>());
      free_.push_back(++end_);
    }
    const Number number = free_.back();
    slot(number).emplace(std::forward<Args>(args)...);
    free_.pop_back();
    return number;
  }

  void erase(Number number) {
    assert(contains(number));
    slot(number).reset();
    free_.push_back(number);
  }

  [[nodiscard]] bool contains(Number number) const {
    return number != 0 && number <= end_ && slot(number).has_value();
  }
  [[nodiscard]] T& operator[](Number number) { return *slot(number); }
  [[nodiscard]] const T& operator[](Number number) const { return *slot(number); }
  [[nodiscard]] std::size_t size() const { return end_ - free_.size(); }
  // The largest number ever given.
  [[nodiscard]] Number last_number() const { return end_; }

 private:
  static constexpr std::size_t kChunk = 256;
  using Chunk = std::array<std::optional<T>, kChunk>;

  std::optional<T>& slot(Number number) {
    return (*chunks_[(number - 1) / kChunk])[(number - 1) % kChunk];
  }
  const std::optional<T>& slot(Number number) const {
    return (*chunks_[(number - 1) / kChunk])[(number - 1) % kChunk];
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Number> free_;
  Number end_ = 0;
};

}  // namespace turnpike::core
