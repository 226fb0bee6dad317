#pragma once

#include <cstdint>
#include <limits>

#include "base/units.h"
#include "core/admission/admission_params.h"

namespace turnpike::core {

// What admission looks at: one endpoint's ledger and gauges.
struct Occupancy {
  int leases = 0;
  bool gauges_fresh = false;  // at most three scrape intervals old, with a waiting gauge
  int waiting = 0;            // gauges
  int running = 0;
  int dispatched = 0;  // own, since the scrape
  int settled = 0;
  int slots = 0;  // configured or learned; 0: unknown
  int adaptive_limit = 0;
  TokenCount running_tokens;  // of the prompts in flight, others' included
  TokenCount capacity;        // of the KV cache; 0: unknown
  int programs = 0;           // with a place there, and the tokens of their places
  TokenCount program_tokens;
};

inline constexpr TokenCount kAnySize{std::numeric_limits<std::int64_t>::max()};
// The size of a request where requests are counted and not their tokens.
inline constexpr TokenCount kUncounted{-2};
// Of one that takes no tokens where others do: it fits wherever there is room at all.
inline constexpr TokenCount kNoTokens{-1};

// Whether it shares out slots of endpoints, one of which can be held for somebody.
constexpr bool has_slots(AdmissionRule rule) {
  return rule == AdmissionRule::inflight || rule == AdmissionRule::backpressure ||
         rule == AdmissionRule::adaptive;
}
constexpr bool counts_tokens(AdmissionRule rule) {
  return rule == AdmissionRule::kv_share || rule == AdmissionRule::program;
}

// The waiting gauge adjusted for what happened since the scrape: max(0, waiting + dispatched - settled - free slots at the
// scrape), or max(0, waiting - settled) where the number of slots is unknown.
int estimated_waiting(const Occupancy& endpoint);

// Whether the endpoint takes one more request while `reserved` slots are kept for others. With stale gauges the ledger decides
// alone, by the configured limit, else the slots, else the fall-back: never "closed", never "open".
bool has_room(const AdmissionParams& params, const Occupancy& endpoint, int reserved);

// Tokens of an endpoint's KV cache: as known, else as assumed.
constexpr TokenCount capacity_of(const AdmissionParams& params, TokenCount known) {
  return known > TokenCount(0) ? known : params.assumed_capacity;
}

// How large a request it may be, for the rules that count tokens; kAnySize for the others, and where nothing runs.
TokenCount largest_that_fits(const AdmissionParams& params, const Occupancy& endpoint);

}  // namespace turnpike::core
