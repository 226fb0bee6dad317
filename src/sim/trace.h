#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/units.h"
#include "sim/session.h"

namespace turnpike::sim {

// Sessions that were recorded somewhere.
struct Trace {
  std::vector<Session> sessions;
  std::vector<Duration> begins;   // of each session, ascending; empty: the trace does not say
  Duration span{};                // from the first to the last request; of use only with `begins`
  std::deque<std::string> names;  // that sessions refer to

  // Session number `index`. In order of the trace; else (`shuffled`) in an order that `seed` decides. After the last session the
  // trace is played again, with text of its own. Needs a session.
  [[nodiscard]] Session session(std::uint64_t seed, std::uint64_t index, bool shuffled) const;
};

}  // namespace turnpike::sim
