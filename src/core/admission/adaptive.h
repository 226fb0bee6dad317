#pragma once

#include <algorithm>

#include "base/units.h"

namespace turnpike::core {

// A limit that finds itself: one more a second while the engine keeps up and the limit is in use, a fifth less at a bad sign, at
// most once in five seconds, so that one crowded moment is not counted twice.
class AdaptiveLimit {
 public:
  // After a scrape. `bad`: requests wait inside the engine; `in_use`: the limit was what kept others out.
  void observe(bool bad, bool in_use, TimePoint now) {
    const Duration since =
        seen_ ? std::min<Duration>(now - last_, std::chrono::seconds(5)) : Duration{0};
    last_ = now;
    seen_ = true;
    if (!bad) {
      if (in_use) limit_ += to_seconds(since);
      return;
    }
    if (cut_ && now - last_cut_ < std::chrono::seconds(5)) return;
    limit_ = std::max(1.0, 0.8 * limit_);
    last_cut_ = now;
    cut_ = true;
  }
  [[nodiscard]] int value() const { return static_cast<int>(limit_); }

 private:
  double limit_ = 8.0;
  TimePoint last_{};
  TimePoint last_cut_{};
  bool seen_ = false;
  bool cut_ = false;
};

}  // namespace turnpike::core
