#pragma once

#include <algorithm>
#include <optional>

#include "base/units.h"
#include "core/admission/admission_params.h"

namespace turnpike::core {

// A token bucket for the dispatches of a pool: `burst` at once after a pause, `rate` a second in the long run. O(1); it needs no
// timer to fill, only somebody to come back at opens_at().
class RateBucket {
 public:
  // One was dispatched. Also when it was closed: then it stays closed for longer.
  void taken(const AdmissionParams& params, TimePoint now) {
    const double seconds = 1.0 / params.rate;
    filled_at_ = std::max(filled_at_, now) + from_seconds(seconds);
    const TimePoint opens = filled_at_ - from_seconds((params.burst - 1) * seconds);
    opens_at_ = opens > now ? std::optional(opens) : std::nullopt;
  }
  [[nodiscard]] bool open(TimePoint now) const { return !opens_at_ || *opens_at_ <= now; }
  // When it opens by itself, if that has not been noticed yet.
  [[nodiscard]] std::optional<TimePoint> opens_at() const { return opens_at_; }
  void notice(TimePoint now) {
    if (open(now)) opens_at_.reset();
  }

 private:
  TimePoint filled_at_{};  // when it would be full again, less one token
  std::optional<TimePoint> opens_at_;
};

}  // namespace turnpike::core
