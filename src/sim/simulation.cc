#include "sim/simulation.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "sim/addresses.h"

namespace turnpike::sim {

Simulation::Simulation(SimulationParams params)
    : params_(std::move(params)),
      profile_(*engine::find_profile(params_.workload.profile)),
      random_(mix64(params_.seed ^ 0x6a7e3a4ULL)),
      log_(params_.workload.warm_up) {
  const Workload& workload = params_.workload;
  const Conditions& conditions = workload.conditions;
  assert(workload.replicas > 0 && conditions.gateways > 0);
  for (std::uint32_t i = 0; i < workload.replicas; ++i) {
    const double factor = i == 0 ? conditions.slow_factor : 1.0;
    replicas_.push_back(
        {.engine = engine::Engine({.profile = engine::slowed(profile_, factor),
                                   .kv_tokens = TokenCount(workload.kv_tokens),
                                   .max_num_seqs = workload.max_num_seqs,
                                   .host_tokens = TokenCount(conditions.host_tokens),
                                   .tell_every_token = false})});
  }
  for (std::uint32_t g = 0; g < conditions.gateways; ++g) {
    core::Pool& pool = gateways_.emplace_back(core::Pool(params_.policy)).pool;
    for (std::uint32_t i = 0; i < workload.replicas; ++i) {
      pool.add_endpoint({.id = endpoint_of(i),
                         .name = "replica-" + std::to_string(i),
                         .models = {kModel},
                         .slots = params_.told_slots},
                        now_);
      // A gateway asks everyone once before it is ready, then each at a moment of its own.
      pool.observe(endpoint_of(i), gauges_of(replicas_[i].engine), now_, now_);
      const auto place = std::int64_t{i} + 1 + std::int64_t{g} * workload.replicas;
      queue_.push(now_ + params_.scrape_interval * place /
                             (static_cast<std::int64_t>(workload.replicas) * conditions.gateways),
                  EventKind::sample, g, i);
    }
  }
  take_decisions();
  queue_.push(now_ + timeline_.stretch(), EventKind::look);
  if (conditions.foreign_rate > 0) queue_.push(now_, EventKind::foreign);
  if (workload.rate > 0) {
    arrivals_.emplace(params_.workload, params_.seed);
    queue_.push(TimePoint(arrivals_->next()), EventKind::arrival);
  } else {
    for (std::uint32_t i = 0; i < workload.concurrency && has_next_session(); ++i) begin_session();
  }
}

bool Simulation::advance(std::uint64_t events) {
  const Duration duration = params_.workload.duration;
  for (; events > 0; --events) {
    if (over()) return false;
    if (duration > Duration(0) && queue_.next().at >= TimePoint(duration)) {
      now_ = TimePoint(duration);
      return false;
    }
    const Event event = queue_.pop();
    assert(event.at >= now_);
    now_ = event.at;
    ++events_;
    handle(event);
  }
  return true;
}

RunResult Simulation::run() {
  while (advance(std::uint64_t{1} << 20U)) {
  }
  const Duration end = now();
  look();
  call_off_the_rest();
  RunResult result = log_.summary(end);
  result.workload = params_.workload.name;
  result.policy = params_.policy.policy;
  result.replicas = params_.workload.replicas;
  result.seed = params_.seed;
  for (const Gateway& gateway : gateways_) {
    const core::PoolView view = gateway.pool.view(now_);
    result.rebinds += view.counters.rebinds;
    result.pauses += view.counters.pauses;
  }
  result.curves.timeline = timeline_.points();
  return result;
}

void Simulation::handle(const Event& event) {
  const auto client = [&]() -> Client* {
    const auto found = clients_.find(event.subject);
    return found == clients_.end() ? nullptr : found->second.get();
  };
  const RequestId request(event.subject);
  switch (event.kind) {
    case EventKind::arrival:
      begin_session();
      if (has_next_session()) queue_.push(TimePoint(arrivals_->next()), EventKind::arrival);
      break;
    case EventKind::foreign:
      begin_foreign_session();
      break;
    case EventKind::child:
      if (Client* const parent = client()) begin_child(*parent, event.detail);
      break;
    case EventKind::ask:
      if (Client* const asking = client()) ask(*asking);
      break;
    case EventKind::patience:
      if (Client* const asking = client();
          asking != nullptr && asking->asking && asking->turn == event.detail) {
        lose_patience(*asking);
      }
      break;
    case EventKind::engine_add:
      add_to_engine(event.detail, request);
      break;
    case EventKind::engine_stop:
      replicas_[event.detail].engine.abort(engine::SequenceId(event.subject));
      break;
    case EventKind::step_end:
      end_step(event.detail);
      return;  // no gateway has heard of it yet
    case EventKind::first_token:
      first_token(request);
      break;
    case EventKind::answer_end:
      answered(request);
      break;
    case EventKind::turned_down:
      turned_down(request);
      break;
    case EventKind::sample:
      sample(event.detail, static_cast<std::uint32_t>(event.subject));
      return;
    case EventKind::scraped:
      scraped(event.detail, static_cast<std::uint32_t>(event.subject));
      break;
    case EventKind::alarm:
      alarm(gateways_[event.detail]);
      break;
    case EventKind::look:
      look();
      queue_.push(now_ + timeline_.stretch(), EventKind::look);
      return;
  }
  take_decisions();
}

// Writes down what the fleet is doing.
void Simulation::look() {
  const double stretch = to_seconds(now() - looked_);
  if (stretch <= 0) return;
  looked_ = now();
  TimelinePoint point{.at_s = to_seconds(now())};
  for (Replica& replica : replicas_) {
    const engine::EngineGauges gauges = replica.engine.gauges();
    const std::int64_t generated = replica.engine.counters().generated_tokens;
    point.output_tokens_per_s += static_cast<double>(generated - replica.seen_tokens) / stretch;
    replica.seen_tokens = generated;
    point.running += gauges.running;
    point.engine_waiting += gauges.waiting;
    point.kv_usage += gauges.kv_usage() / static_cast<double>(replicas_.size());
  }
  double resident = 0;
  double capacity = 0;
  for (const Gateway& gateway : gateways_) {
    point.queued += static_cast<double>(gateway.pool.view(now_).queued);
    for (const core::EndpointView& endpoint : gateway.pool.endpoints(now_)) {
      if (endpoint.resident_tokens) resident += endpoint.resident_tokens->as_double();
      capacity +=
          static_cast<double>(params_.workload.kv_tokens) / static_cast<double>(gateways_.size());
    }
  }
  point.resident_share = resident / capacity;
  timeline_.add(point);
}

// --- engines ---------------------------------------------------------------------------------------------------------

void Simulation::add_to_engine(std::uint32_t replica, RequestId id) {
  const Client* const client = client_of(id);
  if (client == nullptr) return;
  const Session& session = client->session;
  const bool fits =
      replicas_[replica].engine.add({.id = engine::SequenceId(id.value()),
                                     .prompt_tokens = client->prompt,
                                     .output_tokens = session.turns[client->turn].output,
                                     .chain = client->chain});
  if (!fits) {
    queue_.push(now_ + params_.network_delay, EventKind::turned_down, id.value());
  } else if (!replicas_[replica].stepping) {
    begin_step(replica);
  }
}

void Simulation::begin_step(std::uint32_t index) {
  Replica& replica = replicas_[index];
  const std::optional<Duration> took = replica.engine.begin_step();
  replica.stepping = took.has_value();
  if (took) queue_.push(now_ + *took, EventKind::step_end, 0, index);
}

void Simulation::end_step(std::uint32_t index) {
  for (const engine::TokenEvent& token : replicas_[index].engine.finish_step()) {
    const TimePoint seen = now_ + params_.network_delay;
    if (token.first) {
      if (Client* const client = client_of(RequestId(token.id.value()))) {
        client->request.cached = token.cached_tokens;
      }
      queue_.push(seen, EventKind::first_token, token.id.value());
    }
    if (token.finished) queue_.push(seen, EventKind::answer_end, token.id.value());
  }
  begin_step(index);
}

}  // namespace turnpike::sim
