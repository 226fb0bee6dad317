#pragma once

#include <cstddef>

#include "core/admission/admission_params.h"

namespace turnpike::core {

// What the rule `pool_gate` looks at: all endpoints of a pool at once.
struct PoolLoad {
  std::size_t in_flight = 0;
  std::size_t dispatchable = 0;
  // Dispatchable endpoints whose waiting gauge was 0 when it was last scraped, however long ago; a missing gauge counts as 0.
  std::size_t calm = 0;
};

// Whether the pool may dispatch one more. The ancestor's rule, flaws included: a gauge is believed until the next scrape, so the gate
// can stay closed beside idle endpoints, and one calm endpoint opens it for all.
constexpr bool gate_open(const AdmissionParams& params, const PoolLoad& pool) {
  const bool below = params.limit == 0 ||
                     pool.in_flight < static_cast<std::size_t>(params.limit) * pool.dispatchable;
  return below && pool.calm > 0;
}

}  // namespace turnpike::core
