#include <algorithm>
#include <cassert>

#include "core/pool/state.h"

namespace turnpike::core {

void Pool::State::dispatch_all(TimePoint now) {
  while (dispatch_holder(now) || dispatch_next(now)) {
  }
}

// The best request that some endpoint can take now goes to the best such endpoint. False if there is none.
bool Pool::State::dispatch_next(TimePoint now) {
  if (queue.empty() || !fleet.any_room()) return false;
  Request* request = nullptr;
  if (!queue.retries().empty()) {
    request = queue.retries().first([&](const Request& retry) {
      fleet.collect(retry.submission.model, retry.boosted, retry.tried, candidate_endpoints);
      return !candidate_endpoints.empty();
    });
  }
  if (request == nullptr) {
    const Lane::First first = queue.first([&](ModelId model) { return fleet.access(model); });
    if (first.overdue) ++counters.overtake_limit_hits;
    request = first.request;
  }
  if (request == nullptr) return false;
  Endpoint* endpoint = place(*request, now);
  assert(endpoint != nullptr);
  if (queue.dispatched(*request)) ++counters.overtakes;
  wait_over(*request);
  dispatch(*request, *endpoint, now);
  return true;
}

// A turn for which a slot is held takes it, whatever its rank is.
bool Pool::State::dispatch_holder(TimePoint now) {
  for (std::size_t i = 0; i < waiting_holders.size();) {
    Session* session = sessions.find(waiting_holders[i]);
    Endpoint* endpoint = session == nullptr ? nullptr : holding_endpoint(*session);
    Request* request = session == nullptr ? nullptr : session->waiting.first();
    if (endpoint == nullptr || request == nullptr) {
      waiting_holders.erase(waiting_holders.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    const bool serves =
        std::ranges::binary_search(endpoint->spec.models, request->submission.model);
    if (!serves || !request->tried.empty() || !fleet.has_held_room(*endpoint, now)) {
      ++i;
      continue;
    }
    ++counters.grace_used;
    if (queue.dispatched(*request)) ++counters.overtakes;
    wait_over(*request);
    dispatch(*request, *endpoint, now);
    return true;
  }
  return false;
}

// The best endpoint for a request among those that have room for it; null if none has.
Endpoint* Pool::State::place(const Request& request, TimePoint) {
  fleet.collect(request.submission.model, request.boosted, request.tried, candidate_endpoints);
  if (candidate_endpoints.empty()) return nullptr;
  const EndpointId bound =
      request.session == nullptr ? EndpointId::none() : request.session->endpoint;
  candidates.clear();
  for (const Endpoint* endpoint : candidate_endpoints) {
    candidates.push_back({.name_hash = endpoint->name_hash,
                          .leases = endpoint->ledger.leases(),
                          .backlog = endpoint->ledger.backlog(),
                          .uncached = uncached(request, *endpoint),
                          .prompt = request.submission.prompt_tokens,
                          .bound = endpoint->spec.id == bound,
                          // Wraps around, so that the endpoint after the last one comes first.
                          .turn = endpoint->ordinal - last_turn - 1});
  }
  const std::uint64_t subject =
      request.session == nullptr ? request.submission.id.value() : request.session->key.value();
  return candidate_endpoints[choose(params.placement, candidates, subject, scratch)];
}

void Pool::State::dispatch(Request& request, Endpoint& endpoint, TimePoint now) {
  const TokenCount expected = uncached(request, endpoint);
  request.lease = endpoint.ledger.take(request.submission.prompt_tokens, expected, now);
  request.endpoint = &endpoint;
  request.is_probe = endpoint.breaker.state(now) == BreakerState::half_open;
  endpoint.breaker.request_sent(now);
  ++request.attempt;
  ++endpoint.dispatched;
  ++in_flight;
  last_turn = endpoint.ordinal;
  dispatched_tokens.add(request.submission.prompt_tokens.value(), now);

  bool rebound = false;
  if (Session* session = request.session) {
    release_hold(*session, now);
    rebound = session->endpoint && session->endpoint != endpoint.spec.id;
    session->endpoint = endpoint.spec.id;
    session->total_wait += now - request.enqueued;
    session->last_activity = now;
    ++session->in_flight;
    const bool first_sign_of_life = session->turns == 0 && session->in_flight == 1;
    Request* sibling = first_sign_of_life ? session->waiting.first() : nullptr;
    for (; sibling != nullptr; sibling = LinkedList<Request, OfSession>::after(*sibling)) {
      queue.not_a_newcomer(*sibling);
    }
  }
  if (!request.submission.streaming) {
    request.assumed_first_token = now + endpoint.ledger.backlog_time();
    assumed_first_tokens.emplace(request.assumed_first_token,
                                 numbers.find(request.submission.id)->second);
  }
  fleet.refresh(endpoint, now);

  const Why reason = why(request, now);
  ++counters.dispatched[static_cast<std::size_t>(reason)];
  counters.retries += request.attempt > 1 ? 1 : 0;
  counters.rebinds += rebound ? 1 : 0;
  decisions.emplace_back(Dispatch{.request = request.submission.id,
                                  .endpoint = endpoint.spec.id,
                                  .why = reason,
                                  .attempt = request.attempt,
                                  .waited = now - request.arrival.at,
                                  .rebound = rebound});
}

Why Pool::State::why(const Request& request, TimePoint now) const {
  if (params.admission.rule == AdmissionRule::none) return Why::bypass;
  if (request.boosted) return Why::boosted;
  const bool on_arrival = request.arrival.at == now && request.arrival.number == submissions;
  return request.session == nullptr && on_arrival ? Why::bypass : Why::cold;
}

}  // namespace turnpike::core
