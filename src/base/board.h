#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace turnpike {

// The current version of something immutable. One thread publishes, any thread reads; a reader asks the version first, which costs
// one load.
template <typename T>
class Board {
 public:
  Board() : current_(std::make_shared<T>()) {}
  explicit Board(std::shared_ptr<const T> first) : current_(std::move(first)) {}

  void publish(std::shared_ptr<const T> next) {
    // What was current may die with `next`, and that outside of the lock.
    const std::scoped_lock lock(mutex_);
    current_.swap(next);
    version_.fetch_add(1, std::memory_order_release);
  }
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  [[nodiscard]] std::shared_ptr<const T> current() const {
    const std::scoped_lock lock(mutex_);
    return current_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> current_;
  std::atomic<std::uint64_t> version_{0};
};

// What one thread has seen of a board. That thread only.
template <typename T>
class BoardReader {
 public:
  explicit BoardReader(const Board<T>& board) : board_(&board) {}

  // The current version, good until the next call.
  const std::shared_ptr<const T>& get() {
    const std::uint64_t version = board_->version();
    if (seen_ == nullptr || version != version_) {
      seen_ = board_->current();
      version_ = version;
    }
    return seen_;
  }

 private:
  const Board<T>* board_;
  std::shared_ptr<const T> seen_;
  std::uint64_t version_ = 0;
};

}  // namespace turnpike
