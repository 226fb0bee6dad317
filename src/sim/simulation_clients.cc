#include <algorithm>
#include <cassert>
#include <cmath>
#include <memory>
#include <utility>

#include "base/hash_chain.h"
#include "sim/simulation.h"
#include "sim/unloaded.h"

// What clients do. See client_rules.h for what load over sockets does as well.
namespace turnpike::sim {
namespace {

// Keys of sessions: those of the workload have their index.
constexpr std::uint64_t kForeignKeys = std::uint64_t{1} << 62U;
constexpr std::uint64_t kChildKeys = std::uint64_t{1} << 61U;

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

bool Simulation::has_next_session() const {
  const std::uint64_t most = params_.workload.sessions;
  return most == 0 || next_session_ < most;
}

bool Simulation::over() const {
  return queue_.empty() || (counted_clients_ == 0 && !has_next_session());
}

Simulation::Client& Simulation::begin(std::unique_ptr<Client> client) {
  Client& began = *client;
  // Sessions of a trace may have text in common, which must look alike in all of them: one factor for all.
  const Session& session = began.session;
  const std::uint64_t mistaken =
      session.piece_tokens > TokenCount(0) ? session.piece_salt : session.text;
  const double error = params_.estimate_error;
  const double share = static_cast<double>(mix64(mistaken ^ 0xb17e5ULL) >> 11U) * 0x1.0p-53;
  began.guess_factor = 1 - error + 2 * error * share;
  if (!began.foreign) {
    began.record = {.began = now(), .unloaded = unloaded_session(profile_, began.session)};
    ++counted_clients_;
  }
  clients_.emplace(began.key, std::move(client));
  queue_.push(now_, EventKind::ask, began.key);
  return began;
}

void Simulation::begin_session() {
  auto client = std::make_unique<Client>();
  client->key = client->root = next_session_++;
  client->session = make_session(params_.workload, params_.seed, client->key);
  client->gateway = static_cast<std::uint32_t>(client->key % gateways_.size());
  begin(std::move(client));
}

void Simulation::begin_foreign_session() {
  const Conditions& conditions = params_.workload.conditions;
  auto client = std::make_unique<Client>();
  const std::uint64_t index = next_foreign_++;
  client->key = client->root = kForeignKeys + index;
  client->session = make_session(conditions.foreign, params_.seed, index);
  client->foreign = true;
  client->gateway = static_cast<std::uint32_t>(random_.below(replicas_.size()));
  begin(std::move(client));
  queue_.push(now_ + from_seconds(random_.exponential(1 / conditions.foreign_rate)),
              EventKind::foreign);
}

void Simulation::begin_child(const Client& parent, std::size_t which) {
  auto client = std::make_unique<Client>();
  client->key = kChildKeys + next_child_++;
  client->root = parent.root;
  client->gateway = parent.gateway;
  client->session = parent.session.started(parent.session.children[which]);
  client->session.index = client->key;
  begin(std::move(client));
}

void Simulation::ask(Client& client) {
  if (!client.asking) {
    client.asking = true;
    client.tries = 0;
    client.request = {
        .session = client.session.index, .tenant = client.session.tenant, .submitted = now()};
    client.prompt = client.session.prompt_tokens(client.turn);
    client.session.chain_of_turn(client.turn, client.chain);
    if (params_.workload.patience != kForever && !client.foreign) {
      queue_.push(now_ + params_.workload.patience, EventKind::patience, client.key,
                  static_cast<std::uint32_t>(client.turn));
    }
  }
  if (client.foreign) {
    send_directly(client);
  } else {
    submit(client);
  }
}

void Simulation::refused(Client& client, const core::Rejection& rejection) {
  const Refusal refusal = refusal_of(rejection.reason);
  if (refusal.says_try_again) {
    log_.refused();
    if (may_retry(client.turn, client.tries)) {
      ++client.tries;
      queue_.push(now_ + retry_after(rejection.retry_after), EventKind::ask, client.key);
      return;
    }
  }
  end_turn(client, refusal.outcome);
}

Duration Simulation::retry_after(Duration predicted) {
  const double spread = 0.8 + 0.4 * random_.uniform();
  return from_seconds(std::clamp(std::ceil(to_seconds(predicted) * spread), 1.0, 60.0));
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
    request.prompt = client.prompt;
    request.output = turn.output;
  } else {
    request.cached = TokenCount(0);
  }
  if (!client.foreign) {
    if (outcome == Outcome::finished) {
      request.cacheable = client.cacheable.answered(client.session, client.turn, request.prompt,
                                                    request.output, shared_seen_);
    }
    log_.add(request);
  }
  client.asking = false;
  if (outcome == Outcome::finished) {
    for (std::size_t i = 0; i < client.session.children.size(); ++i) {
      const Session::Child& child = client.session.children[i];
      if (child.after_turn != client.turn) continue;
      queue_.push(now_ + child.delay, EventKind::child, client.key, static_cast<std::uint32_t>(i));
    }
  }
  if (outcome != Outcome::finished || client.turn + 1 == client.session.turns.size()) {
    end_session(client, session_end(outcome));
    return;
  }
  const Turn& next = client.session.turns[++client.turn];
  const TimePoint at =
      next.due ? std::max(now_, TimePoint(client.record.began + *next.due)) : now_ + next.gap;
  queue_.push(at, EventKind::ask, client.key);
}

void Simulation::end_session(Client& client, SessionEnd end) {
  client.record.end = end;
  client.record.ended = now();
  const bool foreign = client.foreign;
  const bool child = client.key != client.root;
  if (!foreign) {
    log_.add(client.record);
    --counted_clients_;
  }
  clients_.erase(client.key);
  if (!foreign && !child && params_.workload.rate <= 0 && has_next_session()) begin_session();
}

void Simulation::call_off_the_rest() {
  std::vector<std::uint64_t> left;
  left.reserve(clients_.size());
  for (const auto& [key, client] : clients_) left.push_back(key);
  std::ranges::sort(left);
  next_session_ = std::max(next_session_, params_.workload.sessions);
  params_.workload.sessions = next_session_;  // nobody takes the place of who is sent away
  for (const std::uint64_t key : left) {
    const auto found = clients_.find(key);
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

}  // namespace turnpike::sim
