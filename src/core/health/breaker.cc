#include "core/health/breaker.h"

#include <algorithm>

namespace turnpike::core {

bool Breaker::failure(const BreakerParams& params, FailureKind kind, TimePoint now) {
  if (kind == FailureKind::saturated) {  // full, not ill: it answered
    success();
    return false;
  }
  refuses_ = kind == FailureKind::refused;
  ++consecutive_;
  if (params.failures == 0) return false;
  const bool was_open = state(now) == BreakerState::open;
  probing_ = false;
  if (was_open || (!tripped_ && consecutive_ < params.failures)) return false;
  open_time_ = tripped_ ? std::min(open_time_ * 2, params.max_open_time) : params.open_time;
  open_until_ = now + open_time_;
  tripped_ = true;
  return true;
}

void Breaker::success() {
  consecutive_ = 0;
  tripped_ = probing_ = refuses_ = false;
}

void Breaker::request_sent(TimePoint now) {
  if (state(now) == BreakerState::half_open) probing_ = true;
}

BreakerState Breaker::state(TimePoint now) const {
  if (!tripped_) return BreakerState::closed;
  return now < open_until_ ? BreakerState::open : BreakerState::half_open;
}

}  // namespace turnpike::core
