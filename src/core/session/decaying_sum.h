#pragma once

#include <algorithm>
#include <cmath>

#include "base/units.h"

namespace turnpike::core {

inline constexpr Duration kAttainedHalfLife = std::chrono::minutes(10);

// A sum whose parts halve every ten minutes.
class DecayingSum {
 public:
  void add(double amount, TimePoint now) {
    amount_ = std::max(0.0, value(now) + amount);
    at_ = now;
  }
  [[nodiscard]] double value(TimePoint now) const {
    return amount_ == 0.0
               ? 0.0
               : amount_ * std::exp2(-to_seconds(now - at_) / to_seconds(kAttainedHalfLife));
  }

 private:
  double amount_ = 0.0;
  TimePoint at_{};
};

}  // namespace turnpike::core
