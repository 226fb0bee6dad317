#include "core/pool/views.h"

namespace turnpike::core {

void PoolCounters::add(const PoolCounters& other) {
  for (std::size_t i = 0; i < dispatched.size(); ++i) dispatched[i] += other.dispatched[i];
  for (std::size_t i = 0; i < rejected.size(); ++i) rejected[i] += other.rejected[i];
  submitted += other.submitted;
  finished += other.finished;
  failed += other.failed;
  cancelled += other.cancelled;
  cancelled_queued += other.cancelled_queued;
  retries += other.retries;
  boosts += other.boosts;
  overtakes += other.overtakes;
  overtake_limit_hits += other.overtake_limit_hits;
  rebinds += other.rebinds;
  grace_held += other.grace_held;
  grace_used += other.grace_used;
  pauses += other.pauses;
  seats += other.seats;
  breaker_opened += other.breaker_opened;
  sessions_evicted += other.sessions_evicted;
  arrivals_kept += other.arrivals_kept;
  predicted_cached_tokens += other.predicted_cached_tokens;
  reported_cached_tokens += other.reported_cached_tokens;
  prompt_tokens += other.prompt_tokens;
  output_tokens += other.output_tokens;
}

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half-open";
  }
  return "";
}

std::string_view to_string(SessionMode mode) {
  switch (mode) {
    case SessionMode::queued:
      return "queued";
    case SessionMode::running:
      return "running";
    case SessionMode::acting:
      return "acting";
    case SessionMode::paused:
      return "paused";
  }
  return "";
}

}  // namespace turnpike::core
