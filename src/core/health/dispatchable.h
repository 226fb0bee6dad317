#pragma once

#include "core/pool/views.h"

namespace turnpike::core {

// What decides whether an endpoint may get requests.
struct HealthFacts {
  bool draining = false;
  bool removed = false;
  bool healthy = true;  // by the active check
  BreakerState breaker = BreakerState::closed;
  bool probing = false;
  bool refuses = false;
};

// Nothing speaks against it; the share of these decides about panic.
constexpr bool is_well(const HealthFacts& e) {
  return e.healthy && e.breaker == BreakerState::closed && !e.refuses;
}

// Whether it may get a request now. In panic (too few endpoints are well) ejection by failed requests is ignored, but never makes
// an endpoint dispatchable that refuses connections or fails its active check.
constexpr bool is_dispatchable(const HealthFacts& e, bool panic) {
  if (e.draining || e.removed || !e.healthy) return false;
  switch (e.breaker) {
    case BreakerState::closed:
      return true;
    case BreakerState::half_open:
      return !e.probing || (panic && !e.refuses);
    case BreakerState::open:
      return panic && !e.refuses;
  }
  return false;
}

// `well` of `total` endpoints that are not leaving.
constexpr bool is_panic(std::size_t well, std::size_t total, double threshold) {
  return total > 0 && static_cast<double>(well) < threshold * static_cast<double>(total);
}

}  // namespace turnpike::core
