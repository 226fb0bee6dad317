#pragma once

#include <algorithm>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// How long a session takes between the end of a turn and the next one: a moving mean (weight 0.2) and a running estimate of the
// 90th percentile. Until something is known: `guess`.
class GapStatistics {
 public:
  explicit GapStatistics(Duration guess)
      : mean_(static_cast<float>(to_seconds(guess))), p90_(mean_) {}

  void add(Duration gap) {
    const auto seconds = static_cast<float>(to_seconds(std::max(gap, Duration{0})));
    if (samples_ == 0) {
      mean_ = p90_ = seconds;
    } else {
      mean_ += 0.2F * (seconds - mean_);
      // A step up weighs nine steps down, so that the estimate rests where one in ten is above it.
      const float step = 0.1F * std::max(mean_, 0.01F);
      p90_ = std::max(0.0F, p90_ + (seconds > p90_ ? 0.9F : -0.1F) * step);
    }
    if (samples_ < UINT16_MAX) ++samples_;
  }
  [[nodiscard]] Duration mean() const { return from_seconds(mean_); }
  [[nodiscard]] Duration p90() const { return from_seconds(p90_); }
  [[nodiscard]] int samples() const { return samples_; }

 private:
  float mean_;
  float p90_;
  std::uint16_t samples_ = 0;
};

}  // namespace turnpike::core
