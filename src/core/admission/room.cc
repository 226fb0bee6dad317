#include "core/admission/room.h"

#include <algorithm>

namespace turnpike::core {

int estimated_waiting(const Occupancy& endpoint) {
  if (endpoint.slots == 0) return std::max(0, endpoint.waiting - endpoint.settled);
  const int free = std::max(0, endpoint.slots - endpoint.running);
  return std::max(0, endpoint.waiting + endpoint.dispatched - endpoint.settled - free);
}

bool has_room(const AdmissionParams& params, const Occupancy& endpoint, int reserved) {
  if (params.rule == AdmissionRule::none || params.rule == AdmissionRule::pool_gate) return true;
  if (counts_tokens(params.rule)) {
    if (params.limit > 0 && endpoint.leases >= params.limit) return false;
    // Who has a place already needs none.
    return params.rule == AdmissionRule::program ||
           largest_that_fits(params, endpoint) >= TokenCount(0);
  }
  const int taken = endpoint.leases + reserved;
  if (params.limit > 0 && taken >= params.limit) return false;
  if (params.rule == AdmissionRule::inflight || params.rule == AdmissionRule::rate) return true;
  if (params.rule == AdmissionRule::adaptive) return taken < endpoint.adaptive_limit;

  if (!endpoint.gauges_fresh) {
    if (params.limit > 0) return true;
    return taken < (endpoint.slots > 0 ? endpoint.slots : params.fallback_limit);
  }
  // With the one that asks; a reserved slot is as good as taken.
  Occupancy with_one_more = endpoint;
  with_one_more.dispatched += reserved + 1;
  return estimated_waiting(with_one_more) <= params.waiting_tolerance;
}

TokenCount largest_that_fits(const AdmissionParams& params, const Occupancy& endpoint) {
  const TokenCount capacity = capacity_of(params, endpoint.capacity);
  if (params.rule == AdmissionRule::program) {
    return endpoint.programs == 0 ? kAnySize
                                  : std::max(kNoTokens, capacity - endpoint.program_tokens);
  }
  if (params.rule != AdmissionRule::kv_share || endpoint.leases == 0) return kAnySize;
  const auto share = static_cast<std::int64_t>(params.kv_share * capacity.as_double());
  return TokenCount(share) - endpoint.running_tokens;
}

}  // namespace turnpike::core
