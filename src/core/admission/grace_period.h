#pragma once

#include "base/units.h"

namespace turnpike::core {

// How long `grace: auto` holds a slot for a session's next turn: for the median of its gaps, if what that saves is more than what it
// idles, else not at all. Saved are the seconds of prefill of its context, if it comes back in time, which it does every other time;
// a gap that ends in time is on average half the median long, so that three quarters of it are idled.
constexpr Duration grace_period(Duration median_gap, TokenCount context, double seconds_per_token) {
  constexpr double kInTime = 0.5;
  const double saving = kInTime * context.as_double() * seconds_per_token;
  const double idling = (1.0 - kInTime / 2) * to_seconds(median_gap);
  return saving > idling ? median_gap : Duration{0};
}

}  // namespace turnpike::core
