#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace turnpike::openai {

// A request body as it is received: contiguous, growing by doubling, with zeroed room behind it that the JSON scanner may read
// (it looks at whole vectors). Move-only; views last until the next prepare() or the move.
class BodyBuffer {
 public:
  static constexpr std::size_t kPadding = 64;

  BodyBuffer() = default;

  // At least `size` bytes to write into; then commit() says how many were written.
  std::span<char> prepare(std::size_t size);
  void commit(std::size_t written);
  void append(std::string_view bytes);
  void reserve(std::size_t size);
  void clear();

  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  void grow(std::size_t capacity);
  void pad();

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;  // without the padding
};

}  // namespace turnpike::openai
