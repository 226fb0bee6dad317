#pragma once

#include <algorithm>

namespace turnpike::core {

// What an answer said about how much of the cache was still there: own tokens (without shared prefixes).
struct CacheEvidence {
  double above = 0;  // of sessions used since this one's last turn
  double put = 0;    // of the prompt, that earlier turns had put there
  double found = 0;  // of those, that were reported as cached
  double error = 0;  // how far off the last two may be, because prompts are known in blocks
};

// Capacity (without shared prefixes) after an answer: it moves `gain` of the way to the nearest value that agrees with what was
// said. All found: at least above + put. Nothing found: at most above. Part: above + found. Too little put to tell: unchanged. What is
// within the error of counting is taken for all or nothing, else a capacity would shrink by rounding.
inline double capacity_after(double capacity, const CacheEvidence& e, double gain) {
  constexpr double kTelling = 64;
  if (e.put < kTelling + 2 * e.error) return capacity;
  double agreeing = e.above + e.found;
  if (e.found >= e.put - std::max(kTelling, e.put / 50) - e.error) {
    agreeing = std::max(capacity, e.above + e.put);
  } else if (e.found <= e.put / 50 + e.error) {
    agreeing = std::min(capacity, e.above);
  }
  return capacity + gain * (agreeing - capacity);
}

}  // namespace turnpike::core
