#include "sim/simulation.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "base/hash_chain.h"
#include "sim/unloaded.h"

namespace turnpike::sim {
namespace {

const ModelId kModel(1);
// Tokens in a block of the gateway's fingerprint: 1 KiB of text.
constexpr std::int64_t kPrintTokens = 256;

EndpointId endpoint_of(std::uint32_t replica) {
  return EndpointId(replica + 1);
}
std::uint32_t replica_of(EndpointId endpoint) {
  return endpoint.value() - 1;
}

// As the gateway has it: of the prompt alone, in blocks of its own size.
std::vector<std::uint64_t> fingerprint(std::span<const engine::BlockHash> chain,
                                       TokenCount prompt) {
  constexpr auto kStride = static_cast<std::size_t>(kPrintTokens / engine::kBlockTokens);
  const auto count = static_cast<std::size_t>(prompt.value() / kPrintTokens);
  std::vector<std::uint64_t> blocks;
  blocks.reserve(count);
  for (std::size_t i = 1; i <= count; ++i) blocks.push_back(chain[i * kStride - 1]);
  return blocks;
}

// What the client makes of the answer that a rejection becomes.
struct Refusal {
  Outcome outcome = Outcome::rejected;
  bool says_try_again = true;  // 429 or 503
};
Refusal refusal_of(core::RejectReason reason) {
  switch (reason) {
    case core::RejectReason::queue_timeout:  // 504
      return {.outcome = Outcome::timed_out, .says_try_again = false};
    case core::RejectReason::unknown_model:       // 404
    case core::RejectReason::attempts_exhausted:  // 502
      return {.outcome = Outcome::failed, .says_try_again = false};
    default:
      return {};
  }
}

}  // namespace

Simulation::Simulation(SimulationParams params)
    : params_(std::move(params)),
      profile_(*engine::find_profile(params_.workload.profile)),
      pool_(params_.policy),
      random_(mix64(params_.seed ^ 0x6a7e3a4ULL)),
      log_(params_.workload.warm_up) {
  const Workload& workload = params_.workload;
  assert(workload.replicas > 0);
  for (std::uint32_t i = 0; i < workload.replicas; ++i) {
    replicas_.push_back({.engine = engine::Engine({.profile = profile_,
                                                   .kv_tokens = TokenCount(workload.kv_tokens),
                                                   .max_num_seqs = workload.max_num_seqs})});
    pool_.add_endpoint({.id = endpoint_of(i),
                        .name = "replica-" + std::to_string(i),
                        .models = {kModel},
                        .slots = params_.told_slots},
                       now_);
    // A gateway asks everyone once before it is ready, then each at a moment of its own.
    pool_.observe(endpoint_of(i), gauges_of(replicas_[i].engine), now_, now_);
    queue_.push(now_ + params_.scrape_interval * (i + 1) / workload.replicas, EventKind::sample, 0,
                i);
  }
  take_decisions();
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
  call_off_the_rest();
  RunResult result = log_.summary(end);
  result.workload = params_.workload.name;
  result.policy = params_.policy.policy;
  result.replicas = params_.workload.replicas;
  result.seed = params_.seed;
  const core::PoolView view = pool_.view(now_);
  result.rebinds = view.counters.rebinds;
  result.pauses = view.counters.pauses;
  return result;
}

void Simulation::call_off_the_rest() {
  std::vector<std::uint64_t> left;
  left.reserve(clients_.size());
  for (const auto& [index, client] : clients_) left.push_back(index);
  std::ranges::sort(left);
  next_session_ = std::max(next_session_, params_.workload.sessions);
  params_.workload.sessions = next_session_;  // nobody takes the place of who is sent away
  for (const std::uint64_t index : left) {
    const auto found = clients_.find(index);
    if (found == clients_.end()) continue;  // turned away while others were called off
    Client& client = *found->second;
    if (!client.asking) {
      end_session(client, SessionEnd::unfinished);
      continue;
    }
    if (client.replica)
      replicas_[*client.replica].engine.abort(engine::SequenceId(client.attempt.value()));
    abandon(client);
    end_turn(client, Outcome::unfinished);
  }
}

// --- clients ---------------------------------------------------------------------------------------------------------

bool Simulation::has_next_session() const {
  const std::uint64_t most = params_.workload.sessions;
  return most == 0 || next_session_ < most;
}

bool Simulation::over() const {
  return queue_.empty() || (clients_.empty() && !has_next_session());
}

void Simulation::begin_session() {
  const std::uint64_t index = next_session_++;
  auto client = std::make_unique<Client>();
  client->session = make_session(params_.workload, params_.seed, index);
  client->record = {.began = now(), .unloaded = unloaded_session(profile_, client->session)};
  clients_.emplace(index, std::move(client));
  queue_.push(now_, EventKind::ask, index);
}

void Simulation::ask(Client& client) {
  if (!client.asking) {
    client.asking = true;
    client.tries = 0;
    client.request = {
        .session = client.session.index, .tenant = client.session.tenant, .submitted = now()};
    if (params_.workload.patience != kForever) {
      queue_.push(now_ + params_.workload.patience, EventKind::patience, client.session.index,
                  static_cast<std::uint32_t>(client.turn));
    }
  }
  submit(client);
}

void Simulation::refused(Client& client, const core::Rejection& rejection) {
  const Refusal refusal = refusal_of(rejection.reason);
  if (refusal.says_try_again) {
    log_.refused();
    if (may_retry(client.turn, client.tries)) {
      ++client.tries;
      queue_.push(now_ + retry_after(rejection.retry_after), EventKind::ask, client.session.index);
      return;
    }
  }
  end_turn(client, refusal.outcome);
}

void Simulation::lose_patience(Client& client) {
  if (client.replica) {
    queue_.push(now_ + params_.network_delay, EventKind::engine_stop, client.attempt.value(),
                *client.replica);
  }
  abandon(client);
  end_turn(client, Outcome::timed_out);
}

void Simulation::end_turn(Client& client, Outcome outcome) {
  assert(client.attempt.is_none());
  RequestRecord& request = client.request;
  request.outcome = outcome;
  request.ended = now();
  const Turn& turn = client.session.turns[client.turn];
  if (outcome == Outcome::finished) {
    request.prompt = client.session.prompt_tokens(client.turn);
    request.output = turn.output;
    request.cacheable = client.cacheable.answered(client.session, client.turn, request.prompt,
                                                  request.output, shared_seen_);
  } else {
    request.cached = TokenCount(0);
  }
  log_.add(request);
  client.asking = false;
  if (outcome != Outcome::finished || client.turn + 1 == client.session.turns.size()) {
    end_session(client, session_end(outcome));
    return;
  }
  ++client.turn;
  queue_.push(now_ + client.session.turns[client.turn].gap, EventKind::ask, client.session.index);
}

void Simulation::end_session(Client& client, SessionEnd end) {
  client.record.end = end;
  client.record.ended = now();
  log_.add(client.record);
  clients_.erase(client.session.index);
  if (params_.workload.rate <= 0 && has_next_session()) begin_session();
}

// --- the gateway around its pool ---------------------------------------------------------------------------------------

void Simulation::handle(const Event& event) {
  const auto session = [&]() -> Client* {
    const auto found = clients_.find(event.subject);
    return found == clients_.end() ? nullptr : found->second.get();
  };
  const RequestId request(event.subject);
  switch (event.kind) {
    case EventKind::arrival:
      begin_session();
      if (has_next_session()) queue_.push(TimePoint(arrivals_->next()), EventKind::arrival);
      break;
    case EventKind::ask:
      if (Client* const client = session()) ask(*client);
      break;
    case EventKind::patience:
      if (Client* const client = session();
          client != nullptr && client->asking && client->turn == event.detail) {
        lose_patience(*client);
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
      break;
    case EventKind::first_token:
      if (Client* const client = client_of(request)) {
        client->request.first_token = now();
        pool_.first_token(request, now_);
      }
      break;
    case EventKind::answer_end:
      answered(request);
      break;
    case EventKind::turned_down:
      turned_down(request);
      break;
    case EventKind::sample: {
      Replica& replica = replicas_[event.detail];
      replica.samples.push_back(gauges_of(replica.engine));
      queue_.push(now_ + params_.lag + 2 * params_.network_delay, EventKind::scraped, 0,
                  event.detail);
      queue_.push(now_ + params_.scrape_interval, EventKind::sample, 0, event.detail);
      break;
    }
    case EventKind::scraped:
      scraped(event.detail);
      break;
    case EventKind::alarm:
      if (now_ >= alarm_at_) alarm_at_ = TimePoint::max();
      pool_.advance(now_);
      break;
  }
  take_decisions();
}

Simulation::Client* Simulation::client_of(RequestId id) {
  const auto found = attempts_.find(id);
  return found == attempts_.end() ? nullptr : found->second;
}

void Simulation::submit(Client& client) {
  const Session& session = client.session;
  const TokenCount prompt = session.prompt_tokens(client.turn);
  session.extend_chain(client.chain, prompt + session.turns[client.turn].output);
  client.attempt = RequestId(next_request_++);
  client.replica.reset();
  client.request.first_token.reset();
  attempts_.emplace(client.attempt, &client);

  core::Submission submission;
  submission.id = client.attempt;
  submission.model = kModel;
  if (params_.workload.identified) submission.session = SessionKey(mix64(session.index) | 1U);
  submission.tenant = TenantKey(hash_bytes(session.tenant));
  submission.tenant_is_anonymous = session.tenant == "default";
  submission.prompt_tokens = prompt;
  submission.body_bytes = ByteCount(prompt.value() * 4);
  submission.prompt_hash = chain_hash(session.text, client.turn);
  submission.streaming = true;
  submission.blocks = fingerprint(client.chain, prompt);
  pool_.submit(submission, now_);
}

void Simulation::answered(RequestId id) {
  Client* const client = client_of(id);
  if (client == nullptr) return;
  attempts_.erase(id);
  client->attempt = {};
  core::Settlement settlement;
  settlement.usage = {.prompt_tokens = client->session.prompt_tokens(client->turn),
                      .cached_tokens = client->request.cached,
                      .output_tokens = client->session.turns[client->turn].output};
  pool_.settle(id, settlement, now_);
  end_turn(*client, Outcome::finished);
}

// The engine's 400 for a prompt that is too long for it is passed on.
void Simulation::turned_down(RequestId id) {
  Client* const client = client_of(id);
  if (client == nullptr) return;
  attempts_.erase(id);
  client->attempt = {};
  pool_.settle(id, {}, now_);
  end_turn(*client, Outcome::failed);
}

// The client has gone.
void Simulation::abandon(Client& client) {
  if (client.attempt.is_none()) return;
  const RequestId id = std::exchange(client.attempt, {});
  attempts_.erase(id);
  if (!pool_.cancel(id, now_) && pool_.is_dispatched(id)) {
    pool_.settle(id, {.ending = core::Ending::cancelled}, now_);
  }
}

void Simulation::scraped(std::uint32_t replica) {
  std::deque<core::Gauges>& samples = replicas_[replica].samples;
  // How old the gauges were when it asked is nothing a gateway can know.
  pool_.observe(endpoint_of(replica), samples.front(), now_ - 2 * params_.network_delay, now_);
  samples.pop_front();
}

void Simulation::take_decisions() {
  for (const core::Decision& decision : pool_.take_decisions()) {
    if (const auto* const dispatch = std::get_if<core::Dispatch>(&decision)) {
      Client* const client = client_of(dispatch->request);
      assert(client != nullptr);
      client->replica = replica_of(dispatch->endpoint);
      client->request.queued = dispatch->waited;
      queue_.push(now_ + params_.network_delay, EventKind::engine_add, dispatch->request.value(),
                  *client->replica);
    } else {
      const auto& rejection = std::get<core::Rejection>(decision);
      Client* const client = client_of(rejection.request);
      assert(client != nullptr);
      attempts_.erase(rejection.request);
      client->attempt = {};
      client->request.queued = now() - client->request.submitted;
      refused(*client, rejection);
    }
  }
  const std::optional<TimePoint> next = pool_.next_deadline();
  if (!next || *next >= alarm_at_) return;
  alarm_at_ = std::max(*next, now_);
  queue_.push(alarm_at_, EventKind::alarm);
}

Duration Simulation::retry_after(Duration predicted) {
  const double spread = 0.8 + 0.4 * random_.uniform();
  return from_seconds(std::clamp(std::ceil(to_seconds(predicted) * spread), 1.0, 60.0));
}

// --- engines ---------------------------------------------------------------------------------------------------------

core::Gauges Simulation::gauges_of(const engine::Engine& engine) {
  const engine::EngineGauges gauges = engine.gauges();
  return {.running = static_cast<int>(gauges.running),
          .waiting = static_cast<int>(gauges.waiting),
          .kv_usage = gauges.kv_usage(),
          .kv_capacity = TokenCount(gauges.total_blocks * engine::kBlockTokens)};
}

void Simulation::add_to_engine(std::uint32_t replica, RequestId id) {
  const Client* const client = client_of(id);
  if (client == nullptr) return;
  const Session& session = client->session;
  const bool fits =
      replicas_[replica].engine.add({.id = engine::SequenceId(id.value()),
                                     .prompt_tokens = session.prompt_tokens(client->turn),
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
    if (!token.first && !token.finished) continue;
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
