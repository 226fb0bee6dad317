#include "core/program/program_set.h"

#include <algorithm>
#include <map>

#include "core/pool/fleet.h"
#include "core/session/session.h"

namespace turnpike::core {

EndpointId ProgramSet::place(SessionKey session) const {
  const auto program = active_.find(session);
  return program == active_.end() ? EndpointId::none() : program->second.endpoint;
}

TokenCount ProgramSet::need(const Request& request) const {
  return request.submission.prompt_tokens + TokenCount(static_cast<std::int64_t>(reserve()));
}

// What a program is expected to grow by while it is active.
double ProgramSet::reserve() const {
  return (appended_.value() + output_.value()) *
         std::min<double>(rounds_.value(), params_.max_growth_rounds);
}

void ProgramSet::dispatched(Request& request, Endpoint& endpoint) {
  const Session* session = request.session;
  if (session == nullptr || !session->confirmed) return;
  auto [entry, is_new] = active_.try_emplace(session->key);
  if (!is_new && entry->second.endpoint != endpoint.spec.id) {
    // It had to go elsewhere. A place in which something still runs stays; this request is then counted nowhere.
    if (entry->second.running > 0) return;
    pause(entry);
    std::tie(entry, is_new) = active_.try_emplace(session->key);
  }
  Program& program = entry->second;
  if (is_new) {
    program.endpoint = endpoint.spec.id;
    ++endpoint.programs;
    count(program, need(request));
  } else if (program.running == 0) {
    by_expiry_.erase({program.until, session->key});
  }
  if (session->turns > 0 && session->in_flight == 1) {
    gaps_.add(request.enqueued - session->last_completed);
    if (request.running->main_chain) {
      appended_.add(
          std::max(0.0, (request.submission.prompt_tokens - session->context_tokens).as_double()));
    }
  }
  ++program.running;
  request.running->in_program = true;
  count(program, std::max(program.counted, request.submission.prompt_tokens));
}

void ProgramSet::ended(Request& request, Endpoint& endpoint, TokenCount capacity, bool answered,
                       TimePoint now) {
  if (!std::exchange(request.running->in_program, false)) return;
  const Session& session = *request.session;
  const auto entry = active_.find(session.key);
  Program& program = entry->second;
  --program.running;
  if (answered) {
    ++program.rounds;
    if (request.running->main_chain) {
      output_.add(
          std::max(0.0, (session.context_tokens - request.submission.prompt_tokens).as_double()));
    }
    count(program, std::max(program.counted, session.context_tokens));
  }
  if (program.running > 0) return;
  const bool overdrawn = endpoint.program_tokens > capacity;
  const double context = session.context_tokens.as_double();
  const double seconds_per_token = params_.seconds_per_token > 0
                                       ? params_.seconds_per_token
                                       : endpoint.ledger.seconds_per_token();
  const Duration hold = gaps_.sorted().empty()
                            ? params_.first_hold
                            : from_seconds(best_hold(gaps_.sorted(), context * seconds_per_token,
                                                     context / capacity.as_double()));
  if (!answered || overdrawn || hold == Duration{0} || !endpoint.dispatchable) return pause(entry);
  program.until = now + hold;
  by_expiry_.emplace(program.until, session.key);
}

void ProgramSet::lose(EndpointId endpoint) {
  for (auto program = active_.begin(); program != active_.end();) {
    const auto next = std::next(program);
    const SessionKey following = next == active_.end() ? SessionKey::none() : next->first;
    if (program->second.endpoint == endpoint && program->second.running == 0) pause(program);
    program = following ? active_.find(following) : active_.end();
  }
}

void ProgramSet::end_session(SessionKey session) {
  const auto program = active_.find(session);
  if (program != active_.end() && program->second.running == 0) pause(program);
}

EndpointId ProgramSet::expire_one(TimePoint now) {
  if (by_expiry_.empty() || by_expiry_.begin()->first > now) return EndpointId::none();
  const auto program = active_.find(by_expiry_.begin()->second);
  const EndpointId endpoint = program->second.endpoint;
  pause(program);
  return endpoint;
}

std::optional<TimePoint> ProgramSet::next_deadline() const {
  if (by_expiry_.empty()) return std::nullopt;
  return by_expiry_.begin()->first;
}

void ProgramSet::count(Program& program, TokenCount tokens) {
  if (Endpoint* endpoint = fleet_->find(program.endpoint))
    endpoint->program_tokens += tokens - program.counted;
  program.counted = tokens;
}

// Its place is given up; nothing of it runs.
void ProgramSet::pause(Programs::iterator entry) {
  Program& program = entry->second;
  by_expiry_.erase({program.until, entry->first});
  count(program, TokenCount(0));
  if (Endpoint* endpoint = fleet_->find(program.endpoint)) --endpoint->programs;
  rounds_.add(program.rounds);
  active_.erase(entry);
  ++pauses_;
}

std::string ProgramSet::broken_invariant() const {
  std::map<EndpointId, std::pair<TokenCount, int>> sums;
  std::size_t idle = 0;
  for (const auto& [session, program] : active_) {
    auto& [tokens, programs] = sums[program.endpoint];
    tokens += program.counted;
    ++programs;
    if (program.running > 0) continue;
    ++idle;
    if (!by_expiry_.contains({program.until, session})) return "a place is kept for ever";
  }
  if (idle != by_expiry_.size()) return "a place that is in use expires";
  for (const auto& [id, endpoint] : fleet_->all()) {
    const auto& [tokens, programs] = sums[id];
    if (endpoint->program_tokens != tokens) return "an endpoint's places do not add up";
    if (endpoint->programs != programs) return "an endpoint's programs are miscounted";
  }
  return {};
}

}  // namespace turnpike::core
