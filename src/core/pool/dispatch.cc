#include <algorithm>
#include <cassert>

#include "core/admission/pool_gate.h"
#include "core/placement/confidence.h"
#include "core/pool/state.h"

namespace turnpike::core {

void Pool::State::dispatch_all(TimePoint now) {
  do {
    if (!resident) look_at_changed(now);
  } while (may_dispatch(now) && (dispatch_holder(now) || dispatch_next(now)));
}

// What does not depend on any one endpoint.
bool Pool::State::may_dispatch(TimePoint now) const {
  const int most = params.admission.pool_limit;
  if (most > 0 && in_flight >= static_cast<std::size_t>(most)) return false;
  switch (params.admission.rule) {
    case AdmissionRule::pool_gate:
      return gate_open(params.admission, {.in_flight = in_flight,
                                          .dispatchable = fleet.dispatchable_count(),
                                          .calm = fleet.calm_count()});
    case AdmissionRule::rate:
      return bucket.open(now);
    default:
      return true;
  }
}

// Endpoints may have more room than before, or may have stopped taking anything; it matters to those that wait for one of them.
void Pool::State::look_at_changed(TimePoint now) {
  for (const EndpointId id : fleet.take_changed()) {
    const Endpoint* endpoint = fleet.find(id);
    if (programs && (endpoint == nullptr || !endpoint->dispatchable)) programs->lose(id);
    if (queue.waiting_for_one() == 0) continue;
    queue.for_each_model([&](ModelId model) {
      ModelQueue& waiting = *queue.find(model);
      if (endpoint != nullptr && endpoint->can_serve(model)) return waiting.look_at(id);
      for (Request* request : waiting.waiting_for(id)) change_line(*request, now);
    });
  }
}

// The best request that some endpoint can take now goes to the best such endpoint. False if there is none.
bool Pool::State::dispatch_next(TimePoint now) {
  if (queue.empty() || !fleet.any_room()) return false;
  Request* request = nullptr;
  if (!queue.retries().empty()) {
    request = queue.retries().first([&](const Request& retry) {
      fleet.collect(retry, candidate_endpoints);
      return !candidate_endpoints.empty();
    });
  }
  if (request == nullptr && resident) return dispatch_by_residency(now);
  if (request == nullptr) {
    const ModelQueue::First first = queue.first(
        now, [&](ModelId model) { return fleet.opening(model); },
        [&](EndpointId endpoint) { return fleet.opening_at(endpoint); });
    if (first.overdue) ++counters.overtake_limit_hits;
    request = first.request;
  }
  if (request == nullptr) return false;
  const Placed placed = place(*request, now);
  assert(placed.endpoint != nullptr);
  if (queue.dispatched(*request, now)) ++counters.overtakes;
  wait_over(*request);
  dispatch(*request, *placed.endpoint, now, placed.weighing);
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
    if (!endpoint->serves(request->submission.model) || request->is_retry() ||
        !fleet.has_held_room(*endpoint, now) || fleet.lacks_prefill(*request, *endpoint)) {
      ++i;
      continue;
    }
    ++counters.grace_used;
    if (queue.dispatched(*request, now)) ++counters.overtakes;
    wait_over(*request);
    dispatch(*request, *endpoint, now);
    return true;
  }
  return false;
}

// The best endpoint for a request among those that have room for it; null if none has.
Pool::State::Placed Pool::State::place(const Request& request, TimePoint now) {
  if (request.only) return {.endpoint = fleet.find(request.only)};
  fleet.collect(request, candidate_endpoints);
  if (candidate_endpoints.empty()) return {};
  const EndpointId bound =
      request.session == nullptr ? EndpointId::none() : request.session->endpoint;
  candidates.clear();
  for (const Endpoint* endpoint : candidate_endpoints)
    candidates.push_back(candidate(request, *endpoint, bound, now));
  const std::uint64_t id = request.submission.id.value();
  const std::uint64_t subject = request.session == nullptr ? id : request.session->key.value();
  const Chosen chosen = choose(params.placement, candidates, subject, id, scratch);
  Placed placed{.endpoint = candidate_endpoints[chosen.best],
                .weighing = {.candidates = static_cast<std::uint32_t>(candidates.size())}};
  if (chosen.runner_up != Chosen::kNone) {
    placed.weighing.score = chosen.score;
    placed.weighing.runner_up = candidate_endpoints[chosen.runner_up]->spec.id;
    placed.weighing.runner_up_score = chosen.runner_up_score;
  }
  return placed;
}

Candidate Pool::State::candidate(const Request& request, const Endpoint& endpoint, EndpointId bound,
                                 TimePoint now) const {
  const Gauges& gauges = endpoint.ledger.gauges();
  const TokenCount prompt = request.submission.prompt_tokens;
  Candidate c{.name_hash = endpoint.name_hash,
              .leases = endpoint.ledger.leases(),
              .backlog = endpoint.ledger.backlog(),
              .uncached = uncached(request, endpoint),
              .prompt = prompt,
              .kv_usage = gauges.kv_usage,
              .confidence = confidence(endpoint, now),
              .crowded = params.placement.max_waiting > 0 &&
                         gauges.waiting.value_or(0) >= params.placement.max_waiting,
              .bound = endpoint.spec.id == bound,
              // Wraps around, so that the endpoint after the last one comes first.
              .turn = endpoint.ordinal - last_turn - 1};
  if (!request.submission.blocks.empty() && prompt > TokenCount(0)) {
    c.prefix_share = (prompt - c.uncached).as_double() / prompt.as_double();
  }
  if (request.adapter) {
    const bool loaded = endpoint.adapters.holds(request.submission.model);
    c.adapter = loaded ? 1.0 : endpoint.adapters.has_place() ? 0.5 : 0.0;
  }
  if (endpoint.prefixes) c.index_blocks = endpoint.prefixes->blocks();
  if (endpoint.ttft.samples() > 0) c.ttft = endpoint.ttft.value();
  if (endpoint.itl.samples() > 0) c.itl = endpoint.itl.value();
  return c;
}

// What is known before anything is taken.
Explanation Pool::State::explain(const Request& request, const Endpoint& endpoint,
                                 const Weighing& weighing) const {
  Explanation explanation{.ahead = request.ticket.ahead,
                          .overtook = request.ticket.fared.still_ahead,
                          .overtaken = request.ticket.fared.overtaken,
                          .weighing = weighing,
                          .uncached = uncached(request, endpoint)};
  if (resident && endpoint.account != nullptr) {
    const ResidentSet::Fit fit = resident->fit_of(request, endpoint);
    explanation.need = TokenCount(static_cast<std::int64_t>(fit.need));
    explanation.room = TokenCount(static_cast<std::int64_t>(fit.room));
  }
  return explanation;
}

void Pool::State::dispatch(Request& request, Endpoint& endpoint, TimePoint now,
                           const Weighing& weighing, std::optional<Why> given) {
  const Explanation explanation = explain(request, endpoint, weighing);
  request.ticket = {};
  request.running = std::make_unique<RunningPart>();
  RunningPart& running = *request.running;
  take_leases(request, endpoint, explanation.uncached, now);
  running.is_probe = endpoint.breaker.state(now) == BreakerState::half_open;
  endpoint.breaker.request_sent(now);
  if (request.adapter) endpoint.adapters.used(request.submission.model);
  ++request.attempt;
  ++endpoint.dispatched;
  ++in_flight;
  last_turn = endpoint.ordinal;
  if (params.admission.rule == AdmissionRule::rate) bucket.taken(params.admission, now);
  dispatched_tokens.add(request.submission.prompt_tokens.value(), now);

  bool rebound = false;
  if (request.session != nullptr) {
    release_hold(*request.session, now);
    rebound = request.session->endpoint && request.session->endpoint != endpoint.spec.id;
  }
  turn_started(request, endpoint, now);
  if (endpoint.prefixes && !params.prefix.learn_at_end)
    running.prefix_used =
        endpoint.prefixes->learn(counted_blocks(request), request.submission.owner,
                                 request.submission.prompt_tokens.as_double());
  if (resident) resident->dispatched(request, endpoint, now);
  if (programs) {
    const Session* session = request.session;
    Endpoint* former = session == nullptr ? nullptr : fleet.find(programs->place(session->key));
    programs->dispatched(request, endpoint);
    if (former != nullptr) fleet.refresh(*former, now);  // its place may have moved
    rejoin_program(request, now);
  }
  if (!request.streaming) {
    const Endpoint& prompt_endpoint = running.prefill == nullptr ? endpoint : *running.prefill;
    running.assumed_first_token = now + prompt_endpoint.ledger.backlog_time();
    assumed_first_tokens.emplace(running.assumed_first_token, *numbers.find(request.submission.id));
  }
  fleet.refresh(endpoint, now);

  const Why reason = given.value_or(why(request, now));
  ++counters.dispatched[static_cast<std::size_t>(reason)];
  counters.retries += request.attempt > 1 ? 1 : 0;
  counters.rebinds += rebound ? 1 : 0;
  decisions.emplace_back(Dispatch{
      .request = request.submission.id,
      .endpoint = endpoint.spec.id,
      .why = reason,
      .attempt = request.attempt,
      .waited = now - request.arrival.at,
      .rebound = rebound,
      .explanation = explanation,
      .prefill = running.prefill == nullptr ? EndpointId::none() : running.prefill->spec.id,
      .hand_over = running.prefill == nullptr ? HandOver::none : params.pairs.hand_over});
}

Why Pool::State::why(const Request& request, TimePoint now) const {
  if (params.admission.rule == AdmissionRule::none) return Why::bypass;
  if (request.boosted) return Why::boosted;
  const bool on_arrival = request.arrival.at == now && request.arrival.number == submissions;
  return request.session == nullptr && on_arrival ? Why::bypass : Why::cold;
}

}  // namespace turnpike::core
