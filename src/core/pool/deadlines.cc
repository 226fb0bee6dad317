#include <algorithm>

#include "core/pool/recording.h"
#include "core/pool/state.h"

namespace turnpike::core {
namespace {

constexpr int kExpiriesPerStep =
    64;  // sessions forgotten in one call: work is spread, not saved up

TimePoint later(TimePoint from, Duration wait) {
  return wait == kForever ? TimePoint::max() : from + wait;
}

void lower(std::optional<TimePoint>& least, std::optional<TimePoint> other) {
  if (other && *other != TimePoint::max() && (!least || *other < *least)) least = other;
}

}  // namespace

// What frees room comes first, then dispatching, then time-outs: a request that can go in the instant of its deadline goes.
void Pool::advance(TimePoint now) {
  State& s = *state_;
  s.record<journal::Advanced>(now);
  s.wake_endpoints(now);
  s.bucket.notice(now);
  s.sessions.expire(now, kExpiriesPerStep);
  if (s.resident) s.resident->advance(now);
  s.expire_programs(now);
  s.dispatch_all(now);
  s.expire_waits(now);
  if (s.resident)
    s.resident->advance(now);  // places that were kept for turns which have just been turned away
  s.dispatch_all(now);
  s.assume_first_tokens(now);
}

std::optional<TimePoint> Pool::next_deadline() const {
  const State& s = *state_;
  std::optional<TimePoint> next = s.fleet.next_wake();
  if (!s.assumed_first_tokens.empty()) lower(next, s.assumed_first_tokens.begin()->first);
  lower(next, s.sessions.next_expiry());
  if (!s.queue.empty()) lower(next, s.bucket.opens_at());
  if (s.resident) lower(next, s.resident->next_deadline());
  if (s.programs) lower(next, s.programs->next_deadline());
  lower(next, s.queue_deadline());
  s.queue.for_each_model([&](ModelId model) { lower(next, s.no_endpoint_deadline(model)); });
  return next;
}

void Pool::State::wake_endpoints(TimePoint now) {
  while (Endpoint* endpoint = fleet.due(now)) fleet.refresh(*endpoint, now);
}

void Pool::State::expire_programs(TimePoint now) {
  if (!programs) return;
  while (const EndpointId place = programs->expire_one(now)) {
    if (Endpoint* endpoint = fleet.find(place)) fleet.refresh(*endpoint, now);
  }
}

void Pool::State::assume_first_tokens(TimePoint now) {
  while (!assumed_first_tokens.empty() && assumed_first_tokens.begin()->first <= now) {
    RunningPart& running = *requests[assumed_first_tokens.begin()->second].running;
    assumed_first_tokens.erase(assumed_first_tokens.begin());
    running.assumed_first_token = TimePoint::max();
    running.answered = true;
    running.lease.first_token(now, false);
    if (end_prefill(running, now, Prompt::assumed)) dispatch_all(now);
  }
}

void Pool::State::expire_waits(TimePoint now) {
  const auto turn_away = [&](Request& request, RejectReason reason) {
    leave_queue(request, now);
    reject(request, reason, now);
  };
  while (const auto deadline = queue_deadline()) {
    if (*deadline > now) break;
    turn_away(*queue.longest_waiting(), RejectReason::queue_timeout);
  }
  std::vector<ModelId> dark;
  queue.for_each_model([&](ModelId model) {
    if (!fleet.dispatchable(model)) dark.push_back(model);
  });
  for (const ModelId model : dark) {
    const RejectReason reason =
        fleet.serves(model, {}) ? RejectReason::no_endpoint : RejectReason::unknown_model;
    while (const auto deadline = no_endpoint_deadline(model)) {
      if (*deadline > now) break;
      turn_away(*queue.longest_waiting(model), reason);
    }
  }
}

// When the longest waiting request for a model has waited too long for any endpoint to become dispatchable.
std::optional<TimePoint> Pool::State::no_endpoint_deadline(ModelId model) const {
  if (fleet.dispatchable(model)) return std::nullopt;
  const Request* request = queue.longest_waiting(model);
  if (request == nullptr) return std::nullopt;
  return later(std::max(request->enqueued, fleet.dark_since(model)), params.waits.no_endpoint_wait);
}

std::optional<TimePoint> Pool::State::queue_deadline() const {
  const Request* request = queue.longest_waiting();
  if (request == nullptr) return std::nullopt;
  return later(request->enqueued, params.waits.queue_timeout);
}

}  // namespace turnpike::core
