#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

// What a thread counts in. A cell is written by one thread only and read by any: an increment is a plain add without a locked
// instruction, and no two threads write to one cache line.
namespace turnpike::metrics {

inline constexpr std::size_t kCacheLine = 64;

class alignas(kCacheLine) Counter {
 public:
  void add(std::uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

// A level. What is shown is the sum over the threads' cells, so that each may count its own share up and down.
class alignas(kCacheLine) Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double n = 1) { set(value() + n); }
  void sub(double n = 1) { add(-n); }
  [[nodiscard]] double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Upper bounds of a histogram's buckets, ascending, without infinity.
using Buckets = std::vector<double>;

// `per_decade` bounds in every power of ten from `first` to the first one at or above `last`, rounded to two digits:
// log_buckets(0.001, 300, 3) is 0.001, 0.0022, 0.0046, 0.01, ...
Buckets log_buckets(double first, double last, int per_decade);

class alignas(kCacheLine) Histogram {
 public:
  // `bounds` must outlive the histogram.
  explicit Histogram(const Buckets& bounds)
      : bounds_(bounds),
        counts_(std::make_unique<std::atomic<std::uint64_t>[]>(bounds.size() + 1)) {}

  // In the unit of the bounds: seconds, for durations.
  void observe(double value) {
    // The first bound that is not below the value: Prometheus buckets include their bound.
    const auto bucket =
        static_cast<std::size_t>(std::ranges::lower_bound(bounds_, value) - bounds_.begin());
    auto& count = counts_[bucket];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
  }
  // Observations in bucket i alone; i = bounds().size() is what lies above all bounds.
  [[nodiscard]] std::uint64_t count(std::size_t i) const {
    return counts_[i].load(std::memory_order_relaxed);
  }
  [[nodiscard]] double sum() const { return sum_.load(std::memory_order_relaxed); }
  [[nodiscard]] const Buckets& bounds() const { return bounds_; }

 private:
  const Buckets& bounds_;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace turnpike::metrics
