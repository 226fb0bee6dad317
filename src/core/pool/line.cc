#include "core/placement/scorers.h"
#include "core/pool/state.h"

namespace turnpike::core {

// What decides which endpoints it waits for, and what it takes of their room. A retry goes wherever it has not failed.
void Pool::State::take_line(Request& request) const {
  request.only = request.tried.empty() ? home(request) : EndpointId::none();
  request.size =
      counts_tokens(params.admission.rule) ? request.submission.prompt_tokens : kUncounted;
}

// The one endpoint for which its session's turns wait: where its context is; for a new session, or one whose endpoint gets nothing
// any more, drawn among those that can be used. None: any will do.
EndpointId Pool::State::home(const Request& request) const {
  const Session* session = request.session;
  if (!params.placement.wait_for_home || session == nullptr) return EndpointId::none();
  const ModelId model = request.submission.model;
  const Endpoint* bound = fleet.find(session->endpoint);
  if (bound != nullptr && bound->can_serve(model)) return bound->spec.id;
  EndpointId drawn;
  std::uint64_t highest = 0;
  fleet.for_each_serving(model, [&](const Endpoint& endpoint) {
    const std::uint64_t weight = rendezvous_weight(session->key.value(), endpoint.name_hash);
    if (!endpoint.dispatchable || weight <= highest) return;
    highest = weight;
    drawn = endpoint.spec.id;
  });
  return drawn;
}

}  // namespace turnpike::core
