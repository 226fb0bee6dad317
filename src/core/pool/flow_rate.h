#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// A mean rate over the last minute, to a second.
class FlowRate {
 public:
  void add(std::int64_t amount, TimePoint now) {
    roll(now);
    if (!started_) first_ = now;
    started_ = true;
    seconds_[static_cast<std::size_t>(latest_ % kSeconds)] += amount;
    sum_ += amount;
  }

  // Per second; 0 if nothing came in the last minute. In the first second after a start it counts as one second.
  [[nodiscard]] double per_second(TimePoint now) const {
    FlowRate rolled = *this;
    rolled.roll(now);
    if (!started_ || rolled.sum_ <= 0) return 0.0;
    const double age = to_seconds(now - first_);
    return static_cast<double>(rolled.sum_) /
           std::min(static_cast<double>(kSeconds), std::max(1.0, age));
  }
  // How long it has been observed.
  [[nodiscard]] Duration age(TimePoint now) const { return started_ ? now - first_ : Duration{0}; }

 private:
  static constexpr std::int64_t kSeconds = 60;

  void roll(TimePoint now) {
    const std::int64_t second =
        std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count();
    const std::int64_t from = std::max(latest_, second - kSeconds);
    for (std::int64_t s = from + 1; s <= second; ++s) {
      std::int64_t& bucket = seconds_[static_cast<std::size_t>(s % kSeconds)];
      sum_ -= bucket;
      bucket = 0;
    }
    latest_ = std::max(latest_, second);
  }

  std::array<std::int64_t, kSeconds> seconds_{};
  std::int64_t latest_ = 0;
  std::int64_t sum_ = 0;
  TimePoint first_{};
  bool started_ = false;
};

}  // namespace turnpike::core
