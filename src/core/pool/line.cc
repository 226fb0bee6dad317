#include <algorithm>
#include <cmath>

#include "core/placement/scorers.h"
#include "core/pool/state.h"

namespace turnpike::core {

// What decides which endpoints it waits for, and what it takes of their room. A retry goes wherever it has not failed.
void Pool::State::take_line(Request& request) const {
  request.only = request.is_retry() ? EndpointId::none() : home(request);
  request.size = kUncounted;
  // Where prompts are handed over, long ones need more than a place.
  const bool pairs =
      params.pairs.hand_over != HandOver::none && params.admission.rule != AdmissionRule::program;
  if (pairs || params.admission.rule == AdmissionRule::kv_share) {
    request.size = request.submission.prompt_tokens;
  } else if (programs) {
    const bool wants_place =
        request.session != nullptr && request.session->confirmed && !request.only;
    request.size = wants_place ? programs->need(request) : kNoTokens;
  }
}

void Pool::State::change_line(Request& request, TimePoint now) {
  queue.step_out(request);
  take_line(request);
  queue.step_in(request, now);
}

// Its session may have a place now, where the session's waiting turns need no other.
void Pool::State::rejoin_program(const Request& dispatched, TimePoint now) {
  if (dispatched.session == nullptr) return;
  for (Request* turn = dispatched.session->waiting.first(); turn != nullptr;
       turn = LinkedList<Request, OfSession>::after(*turn)) {
    if (!turn->is_retry()) change_line(*turn, now);
  }
}

// The one endpoint it waits for; none: any will do. That is where its session has a place as a program. Where sessions wait for their
// endpoints it is the one with its context; for a new session, or one whose endpoint gets nothing any more, one drawn among those
// that can be used.
EndpointId Pool::State::home(const Request& request) const {
  const Session* session = request.session;
  if (session == nullptr || !session->confirmed) return EndpointId::none();
  if (programs) {
    const Endpoint* place = fleet.find(programs->place(session->key));
    const bool there = place != nullptr && place->can_serve(request.submission.model);
    return there ? place->spec.id : EndpointId::none();
  }
  if (!params.placement.wait_for_home) return EndpointId::none();
  const ModelId model = request.submission.model;
  const Endpoint* bound = fleet.find(session->endpoint);
  if (bound != nullptr && bound->can_serve(model)) return bound->spec.id;
  // Within the load bound, counting who runs there and who waits for it: else whoever finishes soonest gets the fewest sessions, and
  // in the end all of them wait for the slowest.
  const auto load = [&](const Endpoint& endpoint) {
    return static_cast<double>(endpoint.ledger.leases()) +
           static_cast<double>(queue.waiting_at(endpoint.spec.id));
  };
  double total = 1;  // with this one
  double count = 0;
  fleet.for_each_serving(model, [&](const Endpoint& endpoint) {
    if (!endpoint.dispatchable) return;
    total += load(endpoint);
    ++count;
  });
  const double most = std::ceil(params.placement.load_bound * total / std::max(count, 1.0));
  EndpointId drawn;
  std::uint64_t highest = 0;
  fleet.for_each_serving(model, [&](const Endpoint& endpoint) {
    const std::uint64_t weight = rendezvous_weight(session->key.value(), endpoint.name_hash);
    if (!endpoint.dispatchable || weight <= highest || load(endpoint) + 1 > most) return;
    highest = weight;
    drawn = endpoint.spec.id;
  });
  return drawn;
}

}  // namespace turnpike::core
