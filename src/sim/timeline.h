#pragma once

#include <cstdint>
#include <vector>

#include "base/units.h"

namespace turnpike::sim {

// What a fleet was doing during one stretch of a run. Counts are those at its end, over all replicas and gateways.
struct TimelinePoint {
  double at_s = 0;  // its end
  double output_tokens_per_s = 0;
  double queued = 0;          // in the gateways' queues
  double engine_waiting = 0;  // in the engines'
  double running = 0;
  double kv_usage = 0;        // of running requests, 0..1
  double resident_share = 0;  // of the capacity, by the gateways' accounts where a policy keeps one
};

// A run told in at most kMost stretches of one length: when there are more, each two become one. One thread.
class Timeline {
 public:
  static constexpr std::size_t kMost = 240;

  // How long a stretch is at present; add() is to be called so often.
  [[nodiscard]] Duration stretch() const { return stretch_; }
  void add(const TimelinePoint& point);
  [[nodiscard]] const std::vector<TimelinePoint>& points() const { return points_; }

 private:
  Duration stretch_ = std::chrono::milliseconds(250);
  std::vector<TimelinePoint> points_;
};

}  // namespace turnpike::sim
