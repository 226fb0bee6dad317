#include "sim/timeline.h"

namespace turnpike::sim {

void Timeline::add(const TimelinePoint& point) {
  points_.push_back(point);
  if (points_.size() < kMost) return;
  for (std::size_t i = 0; i < kMost / 2; ++i) {
    TimelinePoint both = points_[2 * i + 1];
    both.output_tokens_per_s = (points_[2 * i].output_tokens_per_s + both.output_tokens_per_s) / 2;
    points_[i] = both;
  }
  points_.resize(kMost / 2);
  stretch_ *= 2;
}

}  // namespace turnpike::sim
