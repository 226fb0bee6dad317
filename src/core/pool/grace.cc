#include <algorithm>

#include "core/pool/state.h"

namespace turnpike::core {

void Pool::State::hold_slot(Session& session, Endpoint& endpoint, TimePoint now) {
  const bool applies = params.grace.period > Duration{0} &&
                       params.admission.rule != AdmissionRule::none && params.admission.limit > 0;
  if (!applies || !session.confirmed || session.in_flight > 0 || !endpoint.dispatchable) return;
  release_hold(session, now);
  endpoint.holds.push_back({.session = session.key, .until = now + params.grace.period});
  session.held_endpoint = endpoint.spec.id;
  ++counters.grace_held;
  if (!session.waiting.empty()) waiting_holders.push_back(session.key);
}

// The caller's dispatch follows; an endpoint other than the one it goes to gets its slot back here.
void Pool::State::release_hold(Session& session, TimePoint now) {
  Endpoint* endpoint = holding_endpoint(session);
  session.held_endpoint = EndpointId::none();
  if (endpoint == nullptr) return;
  std::erase_if(endpoint->holds, [&](const Hold& hold) { return hold.session == session.key; });
  std::erase(waiting_holders, session.key);
  fleet.refresh(*endpoint, now);
}

// Where a slot is held for the session; null if none is, or none any more.
Endpoint* Pool::State::holding_endpoint(const Session& session) const {
  if (session.held_endpoint.is_none()) return nullptr;
  Endpoint* endpoint = fleet.find(session.held_endpoint);
  if (endpoint == nullptr) return nullptr;
  return std::ranges::find(endpoint->holds, session.key, &Hold::session) == endpoint->holds.end()
             ? nullptr
             : endpoint;
}

}  // namespace turnpike::core
