#include <algorithm>

#include "core/pool/state.h"

namespace turnpike::core {
namespace {

EndpointView view_of(const Endpoint& e, TimePoint now) {
  const Ledger& ledger = e.ledger;
  EndpointView view;
  view.id = e.spec.id;
  view.name = e.spec.name;
  view.role = e.spec.role;
  view.models = e.spec.models;
  view.leases = static_cast<std::size_t>(ledger.leases());
  view.running_tokens = ledger.running_tokens();
  view.backlog_tokens = ledger.backlog();
  if (ledger.capacity() > TokenCount(0)) view.capacity_tokens = ledger.capacity();
  view.gauges = ledger.gauges();
  if (ledger.scraped_at()) view.gauge_age = now - *ledger.scraped_at();
  view.slots = ledger.slots(now);
  view.foreign = ledger.foreign();
  view.slots_held = static_cast<int>(e.holds.size());
  view.seconds_per_token = ledger.seconds_per_token();
  view.healthy = e.healthy;
  view.breaker = e.breaker.state(now);
  view.refuses = e.breaker.refuses();
  view.draining = e.draining;
  view.removed = e.removed;
  view.dispatchable = e.dispatchable;
  view.has_room = e.access == Access::all;
  view.dispatched = e.dispatched;
  view.failures = e.failures;
  view.sheds = e.sheds;
  return view;
}

SessionView view_of(const Session& session, const BoostTracker& tracker, const Fleet& fleet,
                    TimePoint now) {
  SessionView view;
  view.key = session.key;
  view.tenant = session.tenant;
  view.mode = session.in_flight > 0 ? SessionMode::running
              : session.queued > 0  ? SessionMode::queued
                                    : SessionMode::paused;
  const Endpoint* home = fleet.find(session.resident_at);
  if (view.mode == SessionMode::paused && home != nullptr &&
      ResidentSet::is_resident(session, *home)) {
    view.mode = SessionMode::acting;
  }
  view.endpoint = session.endpoint;
  view.context_tokens = session.context_tokens;
  view.turns = session.turns;
  view.in_flight = session.in_flight;
  view.queued = session.queued;
  view.total_wait = session.total_wait;
  view.critical_path = session.critical_path;
  view.attained_tokens = session.attained.value(now);
  if (session.turns > 0) view.since_completed = now - session.last_completed;
  view.idle = now - session.last_activity;
  view.boosted = tracker.recency(session.key, now).has_value();
  return view;
}

}  // namespace

PoolView Pool::view(TimePoint now) const {
  const State& s = *state_;
  PoolView view;
  view.policy = s.params.policy;
  view.queued = s.queue.load().requests;
  view.queued_bytes = s.queue.load().bytes;
  view.queued_tokens = s.queue.load().tokens;
  view.in_flight = s.in_flight;
  for (const auto& [id, endpoint] : s.fleet.all()) {
    view.leases += static_cast<std::size_t>(endpoint->ledger.leases());
    view.slots_held += endpoint->holds.size();
  }
  view.endpoints = s.fleet.live();
  view.dispatchable = s.fleet.dispatchable_count();
  view.panic = s.fleet.panic();
  view.sessions = s.sessions.size();
  view.sessions_tracked = s.tracker.size();
  view.dispatched_tokens_per_second = s.dispatched_tokens.per_second(now);
  if (s.resident && s.queue.load().requests > 0) {
    view.predicted_wait = s.resident->drain_time(now);
  } else {
    view.predicted_wait = s.fleet.any_room() && s.may_dispatch(now)
                              ? Duration{0}
                              : s.predicted_wait(s.queue.load().tokens, now);
  }
  view.counters = s.counters;
  if (s.resident) {
    view.counters.pauses += s.resident->pauses();
    view.counters.seats += s.resident->seats();
  }
  if (s.programs) view.counters.pauses += s.programs->pauses();
  view.counters.sessions_evicted += s.sessions.evicted();
  return view;
}

std::vector<EndpointView> Pool::endpoints(TimePoint now) const {
  std::vector<EndpointView> views;
  for (const auto& [id, endpoint] : state_->fleet.all()) {
    EndpointView& view = views.emplace_back(view_of(*endpoint, now));
    if (state_->programs) view.resident_tokens = endpoint->program_tokens;
    if (!state_->resident || endpoint->account == nullptr) continue;
    const ResidentSet::Figures figures = state_->resident->figures(*endpoint);
    view.resident_tokens = TokenCount(static_cast<std::int64_t>(figures.resident));
    view.capacity_tokens = TokenCount(static_cast<std::int64_t>(figures.capacity));
  }
  return views;
}

// What waits, next first, at most `limit`.
std::vector<const Request*> Pool::State::waiting_in_order(std::size_t limit, TimePoint now) const {
  std::vector<const Request*> listed = queue.list(limit, now);
  if (resident) resident->list(limit, listed);
  return listed;
}

std::vector<QueuedView> Pool::queue(std::size_t limit, TimePoint now) const {
  const State& s = *state_;
  std::vector<QueuedView> views;
  TokenCount ahead;
  for (const Request* request : s.waiting_in_order(limit, now)) {
    const KeptSubmission& submission = request->submission;
    const bool in_line = s.resident && !request->is_retry();
    views.push_back({.id = submission.id,
                     .position = views.size() + 1,
                     .model = submission.model,
                     .session = request->session == nullptr ? SessionKey() : request->session->key,
                     .tenant = submission.tenant,
                     .prompt_tokens = submission.prompt_tokens,
                     .waited = now - request->arrival.at,
                     .boosted = request->boosted,
                     .attempt = request->attempt + 1,
                     .predicted_wait = in_line ? s.resident->predicted_wait(*request, now)
                                               : s.predicted_wait(ahead, now)});
    ahead += submission.prompt_tokens;
  }
  return views;
}

SessionPage Pool::sessions(std::size_t limit, std::uint32_t after, TimePoint now) const {
  SessionPage page;
  std::uint32_t number = after;
  while (const Session* session = state_->sessions.next(number)) {
    if (page.sessions.size() == limit) return page;
    page.sessions.push_back(view_of(*session, state_->tracker, state_->fleet, now));
    page.next = number;
  }
  page.next = 0;
  return page;
}

std::optional<SessionView> Pool::session(SessionKey key, TimePoint now) const {
  const Session* session = std::as_const(state_->sessions).find(key);
  if (session == nullptr) return std::nullopt;
  return view_of(*session, state_->tracker, state_->fleet, now);
}

}  // namespace turnpike::core
