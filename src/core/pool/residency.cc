#include "core/pool/state.h"

// The pool's side of the policy `resident-set`.
namespace turnpike::core {

// Its session's endpoint, if that still holds at least half of the context.
Endpoint* Pool::State::endpoint_with_context(const Request& request) const {
  const Session* session = request.session;
  if (session == nullptr || session->turns == 0) return nullptr;
  Endpoint* endpoint = fleet.find(session->endpoint);
  if (endpoint == nullptr || !endpoint->can_serve(request.submission.model)) return nullptr;
  const TokenCount held = request.submission.prompt_tokens - uncached(request, *endpoint);
  const bool holds = held > TokenCount(0) && held * 2 >= session->context_tokens;
  return holds ? endpoint : nullptr;
}

bool Pool::State::dispatch_by_residency(TimePoint now) {
  const ResidentSet::Choice choice = resident->next(now);
  if (choice.request == nullptr) return false;
  queue.dispatched(*choice.request, now);
  wait_over(*choice.request);
  dispatch(*choice.request, *choice.endpoint, now, choice.weighing, choice.why);
  return true;
}

// New work that would wait too long is refused at once; a turn of a running session never is.
void Pool::State::refuse_if_hopeless(Request& request, TimePoint now) {
  if (!resident || params.resident.max_wait == kForever) return;
  if (request.session != nullptr && request.session->running()) return;
  const std::optional<Duration> wait = resident->predicted_wait(request, now);
  if (!wait || *wait <= params.resident.max_wait) return;
  leave_queue(request, now);
  reject(request, RejectReason::predicted_wait, now);
}

}  // namespace turnpike::core
