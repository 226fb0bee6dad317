#pragma once

#include <algorithm>

#include "base/units.h"

// The arithmetic of a session's state, in one place for the pool and for the session store.
namespace turnpike::core {

// A session's critical path after a request that was submitted at `inherited` ran for `execution`: serial turns add up, parallel
// ones contribute only the longest. (AIBrix's semantics.)
constexpr Duration critical_path_after(Duration current, Duration inherited, Duration execution) {
  return std::max(current, inherited + execution);
}

// Whether a request continues the session's main chain: its prompt extends it, or is longer than half of it. All else is a side
// call (a title, a compaction, a sub-agent without an id).
constexpr bool is_main_chain(TokenCount prompt, TokenCount context, bool extends) {
  return extends || prompt * 2 > context;
}

}  // namespace turnpike::core
