#include "openai/body_buffer.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace turnpike::openai {

namespace {
constexpr std::size_t kSmallest = 4096;
}

void BodyBuffer::pad() {
  if (bytes_) std::memset(bytes_.get() + size_, 0, kPadding);
}

void BodyBuffer::grow(std::size_t capacity) {
  auto larger = std::make_unique_for_overwrite<char[]>(capacity + kPadding);
  if (size_ != 0) std::memcpy(larger.get(), bytes_.get(), size_);
  bytes_ = std::move(larger);
  capacity_ = capacity;
}

std::span<char> BodyBuffer::prepare(std::size_t size) {
  if (size_ + size > capacity_) grow(std::max({kSmallest, size_ + size, 2 * capacity_}));
  return {bytes_.get() + size_, capacity_ - size_};
}

void BodyBuffer::commit(std::size_t written) {
  assert(size_ + written <= capacity_);
  size_ += written;
  pad();
}

void BodyBuffer::append(std::string_view bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

void BodyBuffer::reserve(std::size_t size) {
  if (size > capacity_) {
    grow(size);
    pad();
  }
}

void BodyBuffer::clear() {
  size_ = 0;
  pad();
}

}  // namespace turnpike::openai
