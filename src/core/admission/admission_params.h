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
  pool_gate,  // while fewer are in flight than limit x dispatchable endpoints, and some endpoint's last gauge says that none waits
  rate,       // the pool dispatches at most so many a second; `limit` as for inflight
  kv_share,  // the prompts that run there and this one fit in a share of its KV cache; an idle endpoint takes any one
  program,  // a session that has a place there, or whose prompt and growth fit beside the places of others (see ProgramSet)
};

struct AdmissionParams {
  AdmissionRule rule = AdmissionRule::backpressure;
  int limit = 16;             // leases per endpoint; 0: unlimited
  int pool_limit = 0;         // leases of the whole pool, whatever the rule; 0: unlimited
  int waiting_tolerance = 0;  // requests that may wait inside the engine
  int fallback_limit =
      16;  // leases per endpoint while its gauges are stale and no limit is configured or learned
  double rate = 10.0;                    // dispatches per second, for the rule of that name
  int burst = 10;                        // that may come at once after a pause
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
  bool automatic =
      false;  // as long as half of the session's own gaps, if that is worth it (see grace_period); period: at most
  GraceScope scope = GraceScope::session;

  friend bool operator==(const GraceParams&, const GraceParams&) = default;
};

}  // namespace turnpike::core
