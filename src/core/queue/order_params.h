#pragma once

#include <cstddef>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// The rule among the sessions of one tenant.
enum class SessionOrder : std::uint8_t { fcfs, session_boost };
// The rule among boosted requests: most recently completed session first, or first come first
// served.
enum class BoostedFirst : std::uint8_t { completion, fifo };

// The order `session-boost`: requests of recently completed sessions before all others.
struct BoostParams {
  BoostedFirst among = BoostedFirst::completion;
  std::size_t max_sessions = 4096;  // how many recently completed sessions are tracked
  Duration ttl =
      std::chrono::seconds(60);  // how long a completion counts; 0: until it is among the oldest
  int max_overtakes = 16;  // how often a waiting boosted request is overtaken before it ranks first
  int unboosted_overtakes_factor =
      4;  // the same for the others, times this; 0: no bound (the ancestor's rule)

  friend bool operator==(const BoostParams&, const BoostParams&) = default;
};

// Whose turn is next.
struct OrderParams {
  SessionOrder sessions = SessionOrder::session_boost;
  BoostParams boost;

  friend bool operator==(const OrderParams&, const OrderParams&) = default;
};

}  // namespace turnpike::core
