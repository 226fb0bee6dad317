#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "base/units.h"

namespace turnpike::core {

// How long a place is worth keeping: the t among the `gaps` (seconds, ascending) for which P(gap <= t) x cost - share x E[min(gap, t)]
// is greatest, and 0 where that is never positive. `cost`: seconds that it takes to compute the context again; `share`: the part of
// the endpoint's cache that the place takes.
double best_hold(std::span<const float> gaps, double cost, double share);

// The last 100 gaps between the turns of a pool's sessions, sorted. Gaps of sessions that never come back are not among them. O(100).
class GapWindow {
 public:
  void add(Duration gap);
  [[nodiscard]] std::span<const float> sorted() const { return {sorted_.data(), size_}; }

 private:
  static constexpr std::size_t kGaps = 100;

  std::array<float, kGaps> sorted_{};
  std::array<float, kGaps> by_age_{};
  std::size_t size_ = 0;
  std::size_t oldest_ = 0;
};

}  // namespace turnpike::core
