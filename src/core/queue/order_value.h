#pragma once

#include <cstdint>
#include <optional>

#include "base/units.h"
#include "core/queue/order_params.h"

namespace turnpike::core {

// What the orders look at, as it is when a request begins to wait.
struct OrderFacts {
  TimePoint arrival{};
  Duration critical_path{0};  // inherited from the session
  double attained = 0.0;      // tokens, decayed to `now`
  TimePoint now{};
  std::uint32_t turns = 0;
  int priority = 0;
  TokenCount uncached;  // fewest over the endpoints
  std::optional<TimePoint> deadline;
};

// Where the order puts a request: least goes first. Static: it does not change while the request waits, because what depends on
// time grows for all alike. 0 for the orders that go by arrival (and for session_boost, which has tiers instead).
std::int64_t order_value(const OrderParams& params, const OrderFacts& facts);

// The same among boosted requests: the later their session's last turn was completed (`recency` counts completions), the sooner,
// unless boosted ones go by arrival.
std::int64_t boosted_value(const OrderParams& params, std::uint64_t recency);

// When a request that waits since `enqueued` will have waited too long: (past waits + this wait) / max(service, least) = ratio.
TimePoint starves_at(const StarvationParams& params, TimePoint enqueued, Duration past_waits,
                     Duration service);

}  // namespace turnpike::core
