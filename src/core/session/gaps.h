#pragma once

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace turnpike::core {

// How long a session takes between the end of a turn and the next one: a moving mean (weight 0.2) and running estimates of the
// median and the 90th percentile. Until something is known: `guess`. There are two for every session, so it is small.
class GapStatistics {
 public:
  explicit GapStatistics(Duration guess)
      : mean_(-static_cast<float>(to_seconds(guess))), median_(-mean_), p90_(-mean_) {}

  void add(Duration gap) {
    const auto seconds = static_cast<float>(to_seconds(std::max(gap, Duration{0})));
    if (!known()) {
      mean_ = median_ = p90_ = seconds;
      return;
    }
    mean_ += 0.2F * (seconds - mean_);
    const float step = 0.1F * std::max(mean_, 0.01F);
    // A step up weighs nine steps down, so that the estimate rests where one in ten is above it.
    p90_ = std::max(0.0F, p90_ + (seconds > p90_ ? 0.9F : -0.1F) * step);
    median_ = std::max(0.0F, median_ + (seconds > median_ ? 0.5F : -0.5F) * step);
  }
  [[nodiscard]] bool known() const { return !std::signbit(mean_); }
  [[nodiscard]] Duration mean() const { return from_seconds(std::abs(mean_)); }
  [[nodiscard]] Duration median() const { return from_seconds(median_); }
  [[nodiscard]] Duration p90() const { return from_seconds(p90_); }

 private:
  float mean_;  // the guess has a minus
  float median_;
  float p90_;
};

}  // namespace turnpike::core
