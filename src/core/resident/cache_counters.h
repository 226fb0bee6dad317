#pragma once

#include <chrono>
#include <optional>

#include "base/units.h"

namespace turnpike::core {

// For an engine whose answers do not say how much of their prompts was cached: what its own counter of cached tokens gained, against
// what was expected of the prompts sent there.
class CacheCounters {
 public:
  // A prompt goes there of which so many tokens should be cached.
  void expect(double cached) { expected_ += cached; }
  // An answer has said it: the counter is not needed.
  void answers_tell() { answers_tell_ = true; }
  [[nodiscard]] bool needed() const { return !answers_tell_ && counted_.has_value(); }

  // The counter now. True if it gained less than 0.7 of what was expected since the last comparison, which is made every 30 s and of
  // enough to tell.
  bool disappoints(std::optional<double> counter, TimePoint now) {
    constexpr Duration kBetween = std::chrono::seconds(30);
    constexpr double kTelling = 1024;
    constexpr double kEnough = 0.7;
    if (answers_tell_ || !counter) return false;
    if (!counted_ || *counter < *counted_) {  // the first one, or the engine has restarted
      start(*counter, now);
      return false;
    }
    if (now - since_ < kBetween || expected_ < kTelling) return false;
    const bool less = *counter - *counted_ < kEnough * expected_;
    start(*counter, now);
    return less;
  }

 private:
  void start(double counter, TimePoint now) {
    counted_ = counter;
    since_ = now;
    expected_ = 0;
  }

  std::optional<double> counted_;  // at the last comparison
  TimePoint since_{};
  double expected_ = 0;
  bool answers_tell_ = false;
};

}  // namespace turnpike::core
