#pragma once

#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// When an endpoint has room for one more request.
enum class AdmissionRule : std::uint8_t {
  none,          // always: a pool without a queue
  inflight,      // fewer leases than the limit
  backpressure,  // the same, and its engine has nothing waiting
  adaptive,  // fewer leases than a limit that the endpoint's own gauges teach (see AdaptiveLimit); `limit` caps it
  kv_share,  // the prompts that run there and this one fit in a share of its KV cache; an idle endpoint takes any one
};

struct AdmissionParams {
  AdmissionRule rule = AdmissionRule::backpressure;
  int limit = 16;             // leases per endpoint; 0: unlimited
  int waiting_tolerance = 0;  // requests that may wait inside the engine
  int fallback_limit =
      16;  // leases per endpoint while its gauges are stale and no limit is configured or learned
  double kv_share = 0.97;                // of the KV capacity, for the rule of that name
  TokenCount assumed_capacity{300'000};  // tokens, of an endpoint whose capacity nobody knows
  Duration scrape_interval =
      std::chrono::seconds(1);  // how often gauges come; older than three of these is stale

  friend bool operator==(const AdmissionParams&, const AdmissionParams&) = default;
};

// Who may take a slot that is held for a session.
enum class GraceScope : std::uint8_t { session, boosted };

// After the last running turn of a session ends well, one slot of its endpoint is held for its next
// turn.
struct GraceParams {
  Duration period{0};  // 0: off
  GraceScope scope = GraceScope::session;

  friend bool operator==(const GraceParams&, const GraceParams&) = default;
};

}  // namespace turnpike::core
