#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// The rule among the sessions of one tenant. Ties go by arrival.
enum class SessionOrder : std::uint8_t {
  fcfs,
  session_boost,  // recently completed sessions first
  critical_path,  // least accumulated service time along the session's longest chain of turns first
  plas,  // least attained service first, in levels that double; first come first served inside a level
  las,            // least attained service first
  turn_priority,  // the session with most turns first; waiting counts as turns
  wspt,           // weighted shortest processing time: most priority per token to compute first
  deadline,       // earliest deadline first; those without one last
  resident_set,   // see ResidentSet: order, admission and placement in one
};

// The rule among tenants, above the sessions.
enum class TenantOrder : std::uint8_t {
  none,
  fair_share,  // least weighted tokens used in a sliding window first
  vtc,         // virtual token counter: least served first; who returns is lifted to the minimum
};

// The rule among boosted requests: most recently completed session first, or first come first served.
enum class BoostedFirst : std::uint8_t { completion, fifo };

// The order `session-boost`: requests of recently completed sessions before all others.
struct BoostParams {
  BoostedFirst among = BoostedFirst::completion;
  std::size_t max_sessions = 4096;  // how many recently completed sessions are tracked
  Duration ttl =
      std::chrono::seconds(60);  // how long a completion counts; 0: until it is among the oldest
  int max_overtakes =
      16;  // how often a waiting boosted request is overtaken before it ranks first; 0: ever
  int unboosted_overtakes_factor =
      4;  // the same for the others, times this; 0: no bound (the ancestor's rule)
  bool fixed_at_push =
      false;  // a request that waits is not boosted when its session's earlier turn ends (the ancestor's rule)

  friend bool operator==(const BoostParams&, const BoostParams&) = default;
};

// Who has waited too long goes to the front (orders critical_path and plas): first whose ratio of waiting to service passed the
// limit first.
struct StarvationParams {
  double ratio = 2.0;                                // (past waits + this one) / service; 0: off
  Duration least_service = std::chrono::seconds(1);  // the divisor is at least this
  int one_in = 16;                                   // at most one of so many dispatches

  friend bool operator==(const StarvationParams&, const StarvationParams&) = default;
};

// What a tenant is charged: uncached prompt tokens, output tokens, and (optionally) requests.
struct FairnessParams {
  Duration window = std::chrono::minutes(5);
  double input_weight = 1.0;
  double output_weight = 2.0;
  double request_weight = 0.0;  // tokens per request

  friend bool operator==(const FairnessParams&, const FairnessParams&) = default;
};

// Whose turn is next: priority class, then tenant, then session. Each level can be left out.
struct OrderParams {
  bool priority_classes = false;
  TenantOrder tenants = TenantOrder::none;
  SessionOrder sessions = SessionOrder::session_boost;
  BoostParams boost;
  StarvationParams starvation;
  FairnessParams fairness;
  double plas_base = 4000.0;       // tokens of the first level
  double turns_per_second = 0.05;  // turn_priority: what a second of waiting is worth

  friend bool operator==(const OrderParams&, const OrderParams&) = default;
};

}  // namespace turnpike::core
