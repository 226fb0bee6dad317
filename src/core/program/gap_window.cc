#include "core/program/gap_window.h"

#include <algorithm>

namespace turnpike::core {

double best_hold(std::span<const float> gaps, double cost, double share) {
  const auto n = static_cast<double>(gaps.size());
  double best = 0;
  double best_worth = 0;
  double back_in_time = 0;
  double their_sum = 0;
  for (const float gap : gaps) {
    const double t = gap;
    back_in_time += 1;
    their_sum += t;
    const double idle = (their_sum + (n - back_in_time) * t) / n;
    const double worth = back_in_time / n * cost - share * idle;
    if (worth <= best_worth) continue;
    best_worth = worth;
    best = t;
  }
  return best;
}

void GapWindow::add(Duration gap) {
  const auto seconds = static_cast<float>(to_seconds(std::max(gap, Duration{0})));
  if (size_ == kGaps) {
    float* const gone = std::lower_bound(sorted_.begin(), sorted_.end(), by_age_[oldest_]);
    std::move(gone + 1, sorted_.end(), gone);
  } else {
    ++size_;
  }
  by_age_[oldest_] = seconds;
  oldest_ = (oldest_ + 1) % kGaps;
  float* const last = sorted_.begin() + size_ - 1;
  float* const place = std::lower_bound(sorted_.begin(), last, seconds);
  std::move_backward(place, last, last + 1);
  *place = seconds;
}

}  // namespace turnpike::core
