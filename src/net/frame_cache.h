#pragma once

#include <array>
#include <cstddef>
#include <new>

// Frames of coroutines, a dozen for each request, mostly larger than what the allocator keeps at hand for a thread. They come back
// in the order they went, so a short stack of each size serves nearly all of them.
namespace turnpike::net {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TURNPIKE_PLAIN_FRAMES  // so that a frame used after its end is found
#endif
#endif

// A thread's freed frames, by size in steps of 64 bytes up to 4 KiB, at most 32 of each size.
class FrameCache {
 public:
  FrameCache() = default;
  FrameCache(const FrameCache&) = delete;
  FrameCache& operator=(const FrameCache&) = delete;
  ~FrameCache() {
    for (std::size_t i = 0; i < kClasses; ++i) {
      while (counts_[i] > 0) ::operator delete(stacks_[i][--counts_[i]]);
    }
  }

  static void* allocate(std::size_t size) {
#ifndef TURNPIKE_PLAIN_FRAMES
    const std::size_t index = (size - 1) / kStep;
    if (index < kClasses) {
      FrameCache& cache = of_thread();
      std::size_t& count = cache.counts_[index];
      return count > 0 ? cache.stacks_[index][--count] : ::operator new((index + 1) * kStep);
    }
#endif
    return ::operator new(size);
  }

  static void release(void* frame, [[maybe_unused]] std::size_t size) {
#ifndef TURNPIKE_PLAIN_FRAMES
    const std::size_t index = (size - 1) / kStep;
    if (index < kClasses) {
      FrameCache& cache = of_thread();
      std::size_t& count = cache.counts_[index];
      if (count < kKept) {
        cache.stacks_[index][count++] = frame;
        return;
      }
    }
#endif
    ::operator delete(frame);
  }

 private:
  static constexpr std::size_t kStep = 64;
  static constexpr std::size_t kClasses = 64;
  static constexpr std::size_t kKept = 32;

  static FrameCache& of_thread() {
    static thread_local FrameCache cache;
    return cache;
  }

  std::array<std::size_t, kClasses> counts_{};
  std::array<std::array<void*, kKept>, kClasses> stacks_;
};

}  // namespace turnpike::net
