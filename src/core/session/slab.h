#pragma once

#include <array>
#include <bitset>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
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
    std::construct_at(place(number), std::forward<Args>(args)...);
    chunk(number).alive.set((number - 1) % kChunk);
    free_.pop_back();
    return number;
  }

  void erase(Number number) {
    assert(contains(number));
    std::destroy_at(place(number));
    chunk(number).alive.reset((number - 1) % kChunk);
    free_.push_back(number);
  }

  [[nodiscard]] bool contains(Number number) const {
    return number != 0 && number <= end_ && chunk(number).alive.test((number - 1) % kChunk);
  }
  [[nodiscard]] T& operator[](Number number) { return *place(number); }
  [[nodiscard]] const T& operator[](Number number) const { return *place(number); }
  [[nodiscard]] std::size_t size() const { return end_ - free_.size(); }
  // The largest number ever given.
  [[nodiscard]] Number last_number() const { return end_; }

 private:
  static constexpr std::size_t kChunk = 256;
  // Who is alive stands in bits beside the elements: a flag in each would cost as much as its alignment.
  struct Chunk {
    Chunk() = default;
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    ~Chunk() {
      for (std::size_t i = 0; i < kChunk; ++i) {
        if (alive.test(i)) std::destroy_at(&elements[i].value);
      }
    }

    union Element {
      Element() {}
      ~Element() {}
      T value;
    };
    std::array<Element, kChunk> elements;
    std::bitset<kChunk> alive;
  };

  Chunk& chunk(Number number) const { return *chunks_[(number - 1) / kChunk]; }
  T* place(Number number) const { return &chunk(number).elements[(number - 1) % kChunk].value; }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Number> free_;
  Number end_ = 0;
};

}  // namespace turnpike::core
