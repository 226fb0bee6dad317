#pragma once

#include <algorithm>

#include "core/pool/endpoint.h"

namespace turnpike::core {

inline constexpr Duration kWarmUp = std::chrono::seconds(30);
inline constexpr Duration kSlowFor = std::chrono::seconds(30);
inline constexpr double kColdConfidence = 0.1;
inline constexpr double kSlowConfidence = 0.5;
inline constexpr double kSlowFactor = 2.0;

// How much an endpoint's score counts: it rises from 0.1 to 1 in the 30 s after it has come up, and is halved while the endpoint
// has been slower than twice the median of its peers for 30 s.
inline double confidence(const Endpoint& endpoint, TimePoint now) {
  const double age = to_seconds(now - endpoint.up_since) / to_seconds(kWarmUp);
  const double warm = kColdConfidence + (1.0 - kColdConfidence) * std::clamp(age, 0.0, 1.0);
  const bool slow =
      endpoint.slow_since != TimePoint::max() && now - endpoint.slow_since >= kSlowFor;
  return slow ? warm * kSlowConfidence : warm;
}

}  // namespace turnpike::core
