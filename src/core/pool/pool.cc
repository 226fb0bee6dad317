#include "core/pool/pool.h"

#include <cassert>
#include <utility>

#include "core/pool/recording.h"
#include "core/pool/state.h"

namespace turnpike::core {

Pool::Pool(const PoolParams& params) : state_(std::make_unique<State>(params)) {}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

void Pool::submit(const Submission& submission, TimePoint now) {
  State& s = *state_;
  s.record<journal::Submitted>(now, submission);
  // Whether it may wait is decided before it does, but matters only if it has to: a request for an idle model goes at once,
  // however many wait for another.
  const std::optional<RejectReason> refusal = s.queue.refusal(s.params.limits, submission);
  Request& request = s.create(submission, now);
  s.enqueue(request, now);
  s.dispatch_all(now);
  if (request.dispatched()) return;
  if (refusal) return s.refuse_surplus(request, *refusal, now);
  s.refuse_if_hopeless(request, now);
}

bool Pool::is_dispatched(RequestId id) const {
  const Request* request = state_->find(id);
  return request != nullptr && request->dispatched();
}

bool Pool::knows(RequestId id) const {
  return state_->find(id) != nullptr;
}

void Pool::record_to(JournalWriter& journal, std::uint32_t number, TimePoint now) {
  state_->recording = {.journal = &journal, .number = number};
  state_->record<journal::Opened>(now, state_->params);
}

bool Pool::cancel(RequestId id, TimePoint now) {
  State& s = *state_;
  Request* request = s.find(id);
  if (request == nullptr || request->dispatched()) return false;
  s.record<journal::Cancelled>(now, id);
  s.leave_queue(*request, now);
  ++s.counters.cancelled_queued;
  s.remembered.remember(s.params.retry, request->submission.identity, request->arrival.at, now);
  s.destroy(*request, now);
  s.dispatch_all(now);
  return true;
}

void Pool::first_token(RequestId id, TimePoint now) {
  State& s = *state_;
  Request* request = s.find(id);
  if (request == nullptr || !request->dispatched()) return;
  s.record<journal::FirstToken>(now, id);
  RunningPart& running = *request->running;
  if (running.first_token_at == TimePoint::max()) {
    running.first_token_at = now;
    running.endpoint->ttft.add(to_seconds(now - running.lease.taken_at()));
  }
  running.answered = true;
  running.lease.first_token(now, request->streaming);
  s.end_prefill(running, now, request->streaming ? State::Prompt::seen : State::Prompt::assumed);
  running.endpoint->breaker.success();
  s.fleet.refresh(*running.endpoint, now);
  s.dispatch_all(now);
}

// The order matters: the slot that comes free is given away with the session's completion already known.
void Pool::settle(RequestId id, const Settlement& settlement, TimePoint now) {
  State& s = *state_;
  Request* request = s.find(id);
  assert(request != nullptr && request->dispatched());
  if (request == nullptr || !request->dispatched()) return;
  s.record<journal::Settled>(now, id, settlement);

  RunningPart& running = *request->running;
  Endpoint& endpoint = *running.endpoint;
  const std::int64_t output = settlement.usage.output_tokens.value_or(TokenCount(0)).value();
  if (running.first_token_at != TimePoint::max() && output > 1) {
    endpoint.itl.add(to_seconds(now - running.first_token_at) / static_cast<double>(output - 1));
  }
  const bool answered = running.answered || settlement.ending == Ending::finished;
  s.correct_prefixes(*request, endpoint, settlement);
  s.turn_ended(*request, settlement, now);
  if (settlement.ending == Ending::finished) s.end_prefill(running, now, State::Prompt::assumed);
  s.end_lease(*request, now);
  if (s.resident) s.resident->ended(*request, endpoint, &settlement, answered, now);
  if (s.programs) s.end_program_turn(*request, endpoint, answered, now);
  switch (settlement.ending) {
    case Ending::finished:
      endpoint.breaker.success();
      endpoint.sheds_until = {};
      if (request->session != nullptr) s.hold_slot(*request->session, endpoint, now);
      break;
    case Ending::failed:
      ++endpoint.failures;
      if (endpoint.breaker.failure(s.params.breaker, FailureKind::bad_gateway, now))
        ++s.counters.breaker_opened;
      break;
    case Ending::cancelled:
      if (running.is_probe) endpoint.breaker.request_ended();
      break;
  }
  s.fleet.refresh(endpoint, now);
  s.fleet.bury(endpoint);
  s.destroy(*request, now);
  s.dispatch_all(now);
}

void Pool::observe(EndpointId id, const Gauges& gauges, TimePoint scraped_at, TimePoint now) {
  Endpoint* endpoint = state_->fleet.find(id);
  if (endpoint == nullptr || endpoint->removed) return;
  state_->record<journal::Observed>(now, id, gauges, scraped_at);
  endpoint->ledger.observe(gauges, scraped_at, now);
  endpoint->adapters.observed(gauges.adapters, gauges.adapter_places);
  const bool waits = gauges.waiting.value_or(0) > state_->params.admission.waiting_tolerance;
  endpoint->adaptive.observe(waits, endpoint->ledger.leases() >= endpoint->adaptive.value(), now);
  if (state_->resident) state_->resident->observed(*endpoint, now);
  state_->fleet.compare_speeds(now);
  state_->fleet.refresh(*endpoint, now);
  state_->dispatch_all(now);
}

void Pool::add_endpoint(const EndpointSpec& spec, TimePoint now) {
  state_->record<journal::EndpointAdded>(now, spec);
  state_->fleet.add(spec, now);
  state_->dispatch_all(now);
}

void Pool::remove_endpoint(EndpointId id, TimePoint now) {
  state_->record<journal::EndpointRemoved>(now, id);
  if (Endpoint* endpoint = state_->fleet.find(id)) {
    if (state_->resident) state_->resident->lose(*endpoint);
    if (state_->programs) state_->programs->lose(id);
    state_->fleet.remove(*endpoint, now);
  }
  state_->dispatch_all(now);
}

void Pool::set_draining(EndpointId id, bool draining, TimePoint now) {
  Endpoint* endpoint = state_->fleet.find(id);
  if (endpoint == nullptr || endpoint->removed) return;
  state_->record<journal::DrainingSet>(now, id, draining);
  endpoint->draining = draining;
  state_->fleet.refresh(*endpoint, now);
  state_->dispatch_all(now);
}

void Pool::set_models(EndpointId id, std::vector<ModelId> models, TimePoint now) {
  Endpoint* endpoint = state_->fleet.find(id);
  if (endpoint == nullptr || endpoint->removed) return;
  state_->record<journal::ModelsSet>(now, id, models);
  if (state_->resident) state_->resident->lose(*endpoint);
  if (state_->programs) state_->programs->lose(id);
  state_->fleet.set_models(*endpoint, std::move(models), now);
  state_->dispatch_all(now);
}

void Pool::set_healthy(EndpointId id, bool healthy, TimePoint now) {
  Endpoint* endpoint = state_->fleet.find(id);
  if (endpoint == nullptr || endpoint->removed) return;
  state_->record<journal::HealthSet>(now, id, healthy);
  endpoint->healthy = healthy;
  state_->fleet.refresh(*endpoint, now);
  state_->dispatch_all(now);
}

void Pool::forget_cache(EndpointId id, TimePoint now) {
  state_->record<journal::CacheForgotten>(now, id);
  if (Endpoint* endpoint = state_->fleet.find(id)) {
    endpoint->prefixes->clear();
    endpoint->adapters.clear();
    if (state_->resident) state_->resident->lose(*endpoint);
    if (state_->programs) state_->programs->lose(id);
    state_->fleet.refresh(*endpoint, now);
  }
  state_->dispatch_all(now);
}

void Pool::end_session(SessionKey key, TimePoint now) {
  State& s = *state_;
  s.record<journal::SessionEnded>(now, key);
  s.tracker.forget(key);
  if (Session* session = s.sessions.find(key)) {
    s.release_hold(*session, now);
    if (s.resident) s.resident->end_session(*session);
    if (s.programs) {
      const EndpointId place = s.programs->place(key);
      s.programs->end_session(key);
      if (Endpoint* endpoint = s.fleet.find(place)) s.fleet.refresh(*endpoint, now);
    }
    s.sessions.forget(key);
  }
  s.dispatch_all(now);
}

void Pool::set_policy(const PoolParams& params, TimePoint now) {
  State& s = *state_;
  s.record<journal::PolicySet>(now, params);
  std::vector<Request*> waiting = s.withdraw_all();
  s.params = params;
  s.use_policy();
  s.sessions.set_params(params.sessions);
  s.tracker.set_params(params.order.boost);
  s.rebuild_queue(std::move(waiting), now);
  s.fleet.refresh_all(now);
  s.dispatch_all(now);
}

void Pool::absorb(Pool&& other, TimePoint now) {
  if (&other == this) return;
  state_->record<journal::Absorbed>(now, other.state_->recording.number);
  state_->absorb(*other.state_, now);
  other = Pool(other.state_->params);
  state_->dispatch_all(now);
}

std::vector<Decision> Pool::take_decisions() {
  return std::exchange(state_->decisions, {});
}

std::string Pool::broken_invariant(TimePoint now) const {
  return state_->broken_invariant(now);
}

}  // namespace turnpike::core
