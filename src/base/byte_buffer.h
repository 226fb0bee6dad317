#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace turnpike {

// Contiguous bytes that come in at the end and leave at the front. Growing never initialises, so room for a megabyte costs
// nothing until it is filled, and `kPadding` bytes behind the content may always be read (parsers that work in wide
// registers ask for that). An empty one that was released owns no memory.
class ByteBuffer {
 public:
  static constexpr std::size_t kPadding = 64;

  ByteBuffer() = default;
  ByteBuffer(ByteBuffer&& other) noexcept
      : memory_(std::move(other.memory_)),
        capacity_(std::exchange(other.capacity_, 0)),
        begin_(std::exchange(other.begin_, 0)),
        end_(std::exchange(other.end_, 0)) {}
  ByteBuffer& operator=(ByteBuffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    capacity_ = std::exchange(other.capacity_, 0);
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
  }

  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] const char* data() const { return memory_.get() + begin_; }
  [[nodiscard]] char* data() { return memory_.get() + begin_; }
  [[nodiscard]] std::string_view view() const { return {data(), size()}; }

  // Room for at least `room` bytes behind the content (all the room there is). Views into the content may move.
  std::span<char> prepare(std::size_t room) {
    if (capacity_ - end_ < room) make_room(room);
    return {memory_.get() + end_, capacity_ - end_};
  }
  void commit(std::size_t bytes) {
    assert(bytes <= capacity_ - end_);
    end_ += bytes;
  }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void consume(std::size_t bytes) {
    assert(bytes <= size());
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() { begin_ = end_ = 0; }
  // Gives the memory back.
  void release() { *this = ByteBuffer(); }

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };

  void make_room(std::size_t room) {
    const std::size_t content = size();
    if (capacity_ - content >= room && begin_ >= content) {  // moving down is cheap
      std::memmove(memory_.get(), data(), content);
    } else {
      const std::size_t wanted = std::max(content + room, capacity_ + capacity_ / 2);
      std::unique_ptr<char[], Free> grown(static_cast<char*>(std::malloc(wanted + kPadding)));
      if (!grown) throw std::bad_alloc();
      if (content > 0) std::memcpy(grown.get(), data(), content);
      memory_ = std::move(grown);
      capacity_ = wanted;
    }
    begin_ = 0;
    end_ = content;
  }

  std::unique_ptr<char[], Free> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace turnpike
