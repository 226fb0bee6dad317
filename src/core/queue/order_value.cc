#include "core/queue/order_value.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/session/decaying_sum.h"

namespace turnpike::core {
namespace {

constexpr double kScale = 1e6;  // fractions of turns and of logarithms

std::int64_t scaled(double value) {
  return static_cast<std::int64_t>(std::llround(value * kScale));
}

}  // namespace

std::int64_t order_value(const OrderParams& params, const OrderFacts& facts) {
  switch (params.sessions) {
    case SessionOrder::fcfs:
    case SessionOrder::session_boost:
    case SessionOrder::resident_set:
      return 0;
    case SessionOrder::critical_path:
      return facts.critical_path.count();
    case SessionOrder::plas:
      return static_cast<std::int64_t>(std::log2(1.0 + facts.attained / params.plas_base));
    // All values decay alike, so that their order does not change with time: compare the logarithms of what they would have been
    // worth at time zero.
    case SessionOrder::las:
      return scaled(std::log2(1.0 + facts.attained) +
                    to_seconds(facts.now.time_since_epoch()) / to_seconds(kAttainedHalfLife));
    // turns + rate x (now - arrival), without the part that is the same for all.
    case SessionOrder::turn_priority:
      return scaled(params.turns_per_second * to_seconds(facts.arrival.time_since_epoch()) -
                    facts.turns);
    case SessionOrder::wspt:
      return scaled(facts.uncached.as_double() / (1.0 + std::max(0, facts.priority)));
    case SessionOrder::deadline:
      return facts.deadline ? facts.deadline->time_since_epoch().count()
                            : std::numeric_limits<std::int64_t>::max();
  }
  return 0;
}

std::int64_t boosted_value(const OrderParams& params, std::uint64_t recency) {
  return params.boost.among == BoostedFirst::fifo ? 0 : -static_cast<std::int64_t>(recency);
}

TimePoint starves_at(const StarvationParams& params, TimePoint enqueued, Duration past_waits,
                     Duration service) {
  if (params.ratio <= 0) return TimePoint::max();
  const double allowed = params.ratio * to_seconds(std::max(service, params.least_service));
  return enqueued + from_seconds(allowed) - past_waits;
}

}  // namespace turnpike::core
