#include <algorithm>
#include <cassert>

#include "core/pool/recording.h"
#include "core/pool/state.h"

namespace turnpike::core {
namespace {

// For how long nothing more is sent to an endpoint that said it was full, unless a request there finishes earlier.
constexpr Duration kShedPause = std::chrono::seconds(1);

}  // namespace

// Whether the request, which has failed at all of `tried()`, may be tried once more: attempts and deaths are bounded for each
// request, and retries for the pool, so that a failing fleet is not hit by several times its load.
bool Pool::State::may_retry(const Request& request) const {
  if (request.attempt > params.retry.more_attempts ||
      request.failures->deaths >= params.retry.deadly)
    return false;
  const double active = static_cast<double>(requests.size());
  const double allowed =
      std::max<double>(params.retry.budget_minimum, params.retry.budget_share * active);
  return static_cast<double>(retried) <= allowed &&
         fleet.serves(request.submission.model, request.tried());
}

void Pool::State::blame(Endpoint& endpoint, FailureKind kind, TimePoint now) {
  if (kind == FailureKind::saturated) {
    ++endpoint.sheds;
    endpoint.sheds_until = now + kShedPause;
  } else {
    ++endpoint.failures;
  }
  if (endpoint.breaker.failure(params.breaker, kind, now)) ++counters.breaker_opened;
}

void Pool::failed(RequestId id, FailureKind kind, TimePoint now, FailedPart part) {
  State& s = *state_;
  Request* request = s.find(id);
  assert(request != nullptr && request->dispatched());
  if (request == nullptr || !request->dispatched()) return;
  s.record<journal::Failed>(now, id, kind, part);

  Endpoint& endpoint = *request->running->endpoint;
  Endpoint* const prefill = request->running->prefill;
  const bool prompt_failed = part == FailedPart::prompt && prefill != nullptr;
  s.blame(prompt_failed ? *prefill : endpoint, kind, now);
  if (prompt_failed && request->running->is_probe) endpoint.breaker.request_ended();
  if (!request->is_retry()) {
    ++s.retried;
    request->failures = std::make_unique<Failures>();
  }
  Failures& failures = *request->failures;
  if (kind == FailureKind::died) ++failures.deaths;
  if (!prompt_failed) failures.tried.push_back(endpoint.spec.id);
  if (prefill != nullptr) failures.prefill = prefill->spec.id;
  s.take_line(*request);
  if (request->session != nullptr) --request->session->in_flight;
  s.end_lease(*request, now);
  if (s.resident) s.resident->ended(*request, endpoint, nullptr, false, now);
  if (s.programs) s.end_program_turn(*request, endpoint, false, now);
  request->running.reset();
  s.fleet.refresh(endpoint, now);
  s.fleet.bury(endpoint);

  if (!s.may_retry(*request)) {
    s.reject(*request, RejectReason::attempts_exhausted, now);
  } else if (const auto placed = s.place(*request, now); placed.endpoint != nullptr) {
    request->enqueued = now;
    s.dispatch(*request, *placed.endpoint, now, placed.weighing);
  } else if (kind == FailureKind::saturated) {
    s.reject(*request, RejectReason::saturated, now);
  } else {
    s.enqueue(*request, now);
  }
  s.dispatch_all(now);
}

}  // namespace turnpike::core
