#include <algorithm>

#include "core/admission/grace_period.h"
#include "core/pool/state.h"

namespace turnpike::core {

void Pool::State::hold_slot(Session& session, Endpoint& endpoint, TimePoint now) {
  const AdmissionParams& admission = params.admission;
  const bool applies = has_slots(admission.rule) &&
                       (admission.limit > 0 || admission.rule == AdmissionRule::adaptive);
  const Duration period = applies ? grace_for(session, endpoint) : Duration{0};
  const bool may_return = session.confirmed && session.in_flight == 0;
  if (period == Duration{0} || !may_return || !endpoint.dispatchable) return;
  release_hold(session, now);
  endpoint.holds.push_back({.session = session.key, .until = now + period});
  session.held_endpoint = endpoint.spec.id;
  ++counters.grace_held;
  if (!session.waiting.empty()) waiting_holders.push_back(session.key);
}

// How long a slot is held for the session's next turn; 0: not at all.
Duration Pool::State::grace_for(const Session& session, const Endpoint& endpoint) const {
  if (!params.grace.automatic) return params.grace.period;
  const GapStatistics& gaps = session.ended_in_tool_call ? session.tool_gaps : session.person_gaps;
  return std::min(params.grace.period, grace_period(gaps.median(), session.context_tokens,
                                                    endpoint.ledger.seconds_per_token()));
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
