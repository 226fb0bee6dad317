#pragma once

#include <chrono>
#include <cstdint>

#include "base/strong.h"

namespace turnpike {

using TokenCount = StrongCount<struct TokenCountTag>;
using ByteCount = StrongCount<struct ByteCountTag>;

// Durations are nanoseconds everywhere. A TimePoint is a reading of an injected clock (base/clock.h); it is monotonic, has
// no calendar meaning, and two readings compare only if one clock gave both.
using Duration = std::chrono::nanoseconds;

struct MonotonicClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicClock, Duration>;
  static constexpr bool is_steady = true;
};
using TimePoint = MonotonicClock::time_point;

inline constexpr Duration kForever = Duration::max();

constexpr double to_seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
constexpr Duration from_seconds(double s) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(s));
}

}  // namespace turnpike
