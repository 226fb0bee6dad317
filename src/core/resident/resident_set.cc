#include "core/resident/resident_set.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/pool/fleet.h"
#include "core/resident/account.h"
#include "core/session/session.h"

// Who waits where, and who keeps a place.
namespace turnpike::core {
void ResidentSet::enqueue(Request& request, TokenCount uncached, Endpoint* bound, TimePoint now) {
  Session* session = request.session;
  if (session != nullptr) count_return(*session, now);
  const auto need = static_cast<std::int64_t>(least_own_tokens(request, bound) + reserve_.value());
  request.resident.need =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(need, 0, ResidentPart::kMostNeed)) &
      ResidentPart::kMostNeed;
  rank(request, uncached);
  if (next_tick_ <= now) next_tick_ = now + std::chrono::seconds(1);

  Endpoint* home = session == nullptr ? nullptr : fleet_->find(session->resident_at);
  const bool at_home = home != nullptr && home->can_serve(request.submission.model) &&
                       home->account != nullptr && home->account->occupants.contains(session->key);
  if (at_home) {
    join_residents(request, *home);
  } else {
    join_others(request, bound != nullptr && bound->dispatchable ? bound : nullptr);
  }
}

// R4. The deadline is virtual: the more there is to compute, the later it is.
void ResidentSet::rank(Request& request, TokenCount uncached) {
  ResidentPart& part = request.resident;
  const double work = uncached.as_double() + static_cast<double>(part.need) / 4;
  const TimePoint deadline = request.arrival.at + from_seconds(params_.alpha * work / 1000);
  part.by_real_deadline = request.submission.wanted_by < deadline;
  request.order_value = std::min(deadline, request.submission.wanted_by).time_since_epoch().count();
  part.tier = order_params_.priority_classes ? -request.submission.priority : 0;
}

void ResidentSet::join_residents(Request& request, Endpoint& endpoint) {
  ResidentAccount& own = account(endpoint);
  Occupant& occupant = own.occupants[request.session->key];
  ++occupant.waiting;
  occupant.session = request.session;
  expiries_.erase({occupant.until, request.session->key, endpoint.spec.id});
  own.residents.emplace(request.arrival, &request);
  request.resident.line = ResidentLine::resident;
  request.resident.endpoint = &endpoint;
  ++in_lines_;
  stir(endpoint);
}

// `bound`: the endpoint it waits for; null: it goes anywhere.
void ResidentSet::join_others(Request& request, Endpoint* bound) {
  ResidentPart& part = request.resident;
  part.endpoint = bound;
  part.line = bound != nullptr ? ResidentLine::bound : ResidentLine::free;
  all_others_.insert(request.resident_rank(), part.need, &request);
  if (bound != nullptr) {
    account(*bound).bound.insert(request.resident_rank(), part.need, &request);
    stir(*bound);
  } else {
    free_[request.submission.model][request.submission.tenant].insert(request.resident_rank(),
                                                                      part.need, &request);
    part.fresh = true;
    fresh_.push_back(&request);
  }
  shares_.begins_to_wait(request.submission.tenant, request.submission.tenant_weight);
  ++in_lines_;
}

void ResidentSet::leave_line(Request& request) {
  ResidentPart& part = request.resident;
  switch (part.line) {
    case ResidentLine::none:
      return;
    case ResidentLine::resident: {
      ResidentAccount& own = account(*part.endpoint);
      own.residents.erase(request.arrival);
      --own.occupants[request.session->key].waiting;
      break;
    }
    case ResidentLine::bound:
      account(*part.endpoint).bound.erase(request.resident_rank());
      break;
    case ResidentLine::free: {
      const auto lines = free_.find(request.submission.model);
      const auto line = lines->second.find(request.submission.tenant);
      line->second.erase(request.resident_rank());
      if (line->second.empty()) lines->second.erase(line);
      if (lines->second.empty()) free_.erase(lines);
      if (part.fresh) std::erase(fresh_, &request);
      break;
    }
  }
  if (part.line != ResidentLine::resident) {
    all_others_.erase(request.resident_rank());
    shares_.waits_no_more(request.submission.tenant);
    // Who has more than his share may have what nobody else wants.
    if (shares_.waiting() == 1) stir_all_ = true;
  }
  part.line = ResidentLine::none;
  part.endpoint = nullptr;
  part.fresh = false;
  --in_lines_;
}

void ResidentSet::list(std::size_t limit, std::vector<const Request*>& out) const {
  const auto begin = static_cast<std::ptrdiff_t>(out.size());
  for (const auto& [id, endpoint] : fleet_->all()) {
    if (endpoint->account == nullptr) continue;
    for (const auto& [arrival, turn] : endpoint->account->residents) out.push_back(turn);
  }
  std::ranges::sort(out.begin() + begin, out.end(), {}, &Request::arrival);
  if (out.size() > limit) out.resize(limit);
  all_others_.visit_while([&](const Request& request) {
    if (out.size() >= limit) return false;
    out.push_back(&request);
    return true;
  });
}

void ResidentSet::withdraw(Request& request, TimePoint now) {
  if (seat_.request == &request) leave_seat();
  Endpoint* home =
      request.resident.line == ResidentLine::resident ? request.resident.endpoint : nullptr;
  leave_line(request);
  if (home == nullptr) return;
  Occupant& occupant = account(*home).occupants[request.session->key];
  stir(*home);
  // Its turn went away: it acts again, for what is left of its time.
  if (occupant.waiting == 0 && occupant.resident) {
    occupant.until = std::max(occupant.until, now);
    expiries_.insert({occupant.until, request.session->key, home->spec.id});
  }
}

void ResidentSet::dispatched(Request& request, Endpoint& endpoint, TimePoint now) {
  const bool as_resident =
      request.resident.line == ResidentLine::resident && request.resident.endpoint == &endpoint;
  if (seat_.endpoint == &endpoint && as_resident) ++account(endpoint).turns_past_seat;
  if (!as_resident) {
    admitted_.add(
        static_cast<std::int64_t>(request.submission.prompt_tokens.as_double() + reserve_.value()),
        now);
  }
  withdraw(request, now);
  ResidentAccount& own = account(endpoint);
  ResidentStay& part = request.running->resident;
  own.counters.expect((request.submission.prompt_tokens - request.running->uncached).as_double());
  const double tokens = own_tokens(request, endpoint);
  part.taken = tokens + reserve_.value();
  part.taken_whole = request.submission.prompt_tokens.as_double() + reserve_.value();
  part.above = -1;
  part.counted = true;
  if (Session* session = request.session) {
    if (session->resident_at && session->resident_at != endpoint.spec.id) {
      if (Endpoint* former = fleet_->find(session->resident_at)) pause(*former, session->key);
    }
    if (request.running->main_chain && session->turns > 0) {
      growth_.add(
          std::max(0.0, (request.submission.prompt_tokens - session->context_tokens).as_double()));
    }
    Occupant& occupant = own.occupants[session->key];
    occupant.tenant = session->tenant;
    if (occupant.resident) {
      leave_account(endpoint, session->key, occupant);
    } else if (occupant.running > 0) {
      // Parallel requests of one session share their beginning.
      part.taken = std::max(0.0, tokens - occupant.context) + reserve_.value();
    }
    ++occupant.running;
    if (const auto above = own.stack.above(session->key); above && session->turns > 0) {
      // What runs is in the cache whenever it was begun.
      part.above = above->as_double() + own.running;
      part.put = std::min(tokens, own.stack.tokens(session->key)->as_double());
    }
    occupant.context = std::max(occupant.context, tokens);
    own.stack.forget(session->key);
    session->resident_at = endpoint.spec.id;
  }
  own.running += part.taken;
  own.running_whole += part.taken_whole;
  shares_.hold(request.submission.tenant, part.taken);
  fit(endpoint);
}

// R3. The session's context is now in the endpoint's cache: it keeps its place for a while, if that is worth it.
void ResidentSet::ended(Request& request, Endpoint& endpoint, const Settlement* settlement,
                        bool answered, TimePoint now) {
  ResidentStay& part = request.running->resident;
  if (!std::exchange(part.counted, false)) return;
  ResidentAccount& own = account(endpoint);
  own.running -= part.taken;
  own.running_whole -= part.taken_whole;
  shares_.hold(request.submission.tenant, -part.taken);
  if (settlement != nullptr && settlement->usage.output_tokens &&
      settlement->ending == Ending::finished)
    reserve_.add(settlement->usage.output_tokens->as_double());
  if (Session* session = request.session) {
    if (settlement != nullptr && answered) learn_capacity(request, endpoint, settlement->usage);
    Occupant& occupant = own.occupants[session->key];
    --occupant.running;
    if (answered) {
      const double shared_part =
          request.submission.prompt_tokens.as_double() - own_tokens(request, endpoint);
      const double context = std::max(0.0, session->context_tokens.as_double() - shared_part);
      occupant.context = std::max(occupant.context, context);
      if (occupant.running == 0) occupant.context = context;
      own.stack.touch(session->key, TokenCount(static_cast<std::int64_t>(occupant.context)));
      own.stack.bound(TokenCount(static_cast<std::int64_t>(16 * own.capacity)));
      if (occupant.running == 0 && endpoint.dispatchable && session->confirmed) {
        const int kind = (session->turns > 1 ? 2 : 0) +
                         (settlement != nullptr && settlement->ended_in_tool_call ? 1 : 0);
        const Ended end{.at = now, .session = session->key, .kind = kind};
        ended_.push_back(end);
        away_.insert_or_assign(session->key, end);
        const double value = own.worth * own.capacity * endpoint.ledger.seconds_per_token();
        const double hold = returns_[static_cast<std::size_t>(kind)]
                                .best_hold(value, params_.hold_max)
                                .value_or(params_.hold_start);
        if (hold > 0 || session->queued > 0) rest(endpoint, *session, hold, now);
      }
    }
    if (occupant.running == 0 && !occupant.resident) pause(endpoint, session->key);
  }
  // Only rounding can be left of an account in which nothing runs.
  if (endpoint.ledger.leases() == 0) own.running = own.running_whole = 0;
  count_absences(now);
  fit(endpoint);
}

// It is idle and keeps its place. Its waiting turns stand in the residents' line from now on.
void ResidentSet::rest(Endpoint& endpoint, Session& session, double hold, TimePoint now) {
  ResidentAccount& own = account(endpoint);
  Occupant& occupant = own.occupants[session.key];
  occupant.resident = true;
  occupant.idle_since = now;
  occupant.until = now + from_seconds(hold);
  occupant.tenant = session.tenant;
  own.resting += occupant.context;
  shares_.hold(occupant.tenant, occupant.context);
  own.by_idleness.emplace(now, session.key);
  session.resident_at = endpoint.spec.id;
  for (Request* turn = session.waiting.first(); turn != nullptr;
       turn = LinkedList<Request, OfSession>::after(*turn)) {
    const bool elsewhere =
        turn->resident.line == ResidentLine::bound || turn->resident.line == ResidentLine::free;
    if (!elsewhere || turn == seat_.request || !endpoint.serves(turn->submission.model)) continue;
    leave_line(*turn);
    join_residents(*turn, endpoint);
  }
  if (occupant.waiting == 0) expiries_.insert({occupant.until, session.key, endpoint.spec.id});
}

// It keeps its place no longer.
void ResidentSet::leave_account(Endpoint& endpoint, SessionKey key, Occupant& occupant) {
  ResidentAccount& own = account(endpoint);
  own.by_idleness.erase({occupant.idle_since, key});
  expiries_.erase({occupant.until, key, endpoint.spec.id});
  own.resting -= occupant.context;
  if (own.by_idleness.empty()) own.resting = 0;
  shares_.hold(occupant.tenant, -occupant.context);
  occupant.resident = false;
  stir(endpoint);
}

// It leaves the account; its waiting turns queue as any other. Whatever runs of it is not touched.
void ResidentSet::pause(Endpoint& endpoint, SessionKey key) {
  ResidentAccount& own = account(endpoint);
  const auto found = own.occupants.find(key);
  if (found == own.occupants.end()) return;
  Occupant& occupant = found->second;
  if (occupant.resident) {
    leave_account(endpoint, key, occupant);
    ++pauses_;
  }
  Session* session = occupant.waiting > 0 ? occupant.session : nullptr;
  Request* turn = session == nullptr ? nullptr : session->waiting.first();
  for (; turn != nullptr; turn = LinkedList<Request, OfSession>::after(*turn)) {
    if (turn->resident.line != ResidentLine::resident || turn->resident.endpoint != &endpoint)
      continue;
    session->resident_at = EndpointId::none();
    leave_line(*turn);
    // The engine may still have it: it waits there, and finds its cache or not.
    join_others(*turn, &endpoint);
  }
  forget_if_empty(endpoint, key);
}

// Who leaves first: whose tenant has more than his share, then the longest idle, as the engine's own cache would forget it.
SessionKey ResidentSet::victim(const Endpoint& endpoint) const {
  constexpr int kLooks = 64;
  const ResidentAccount& own = *endpoint.account;
  int looks = shares_.matter() ? kLooks : 0;
  for (const auto& [idle_since, key] : own.by_idleness) {
    if (looks-- <= 0) break;
    if (shares_.exceeds(own.occupants.find(key)->second.tenant, total_capacity_)) return key;
  }
  return own.by_idleness.begin()->second;
}

// "Pause": what is over the capacity leaves.
void ResidentSet::fit(Endpoint& endpoint) {
  const ResidentAccount& own = account(endpoint);
  while (!own.by_idleness.empty() && own.used() > own.capacity - shared(endpoint)) {
    pause(endpoint, victim(endpoint));
  }
}

void ResidentSet::forget_if_empty(Endpoint& endpoint, SessionKey key) {
  ResidentAccount& own = account(endpoint);
  const auto found = own.occupants.find(key);
  if (found != own.occupants.end() && found->second.running == 0 && !found->second.resident &&
      found->second.waiting == 0) {
    own.occupants.erase(found);
  }
}

void ResidentSet::lose(Endpoint& endpoint) {
  if (endpoint.account == nullptr) return;
  ResidentAccount& own = *endpoint.account;
  if (seat_.endpoint == &endpoint) leave_seat();
  while (!own.by_idleness.empty()) pause(endpoint, own.by_idleness.begin()->second);
  while (!own.residents.empty()) pause(endpoint, own.residents.begin()->second->session->key);
  while (Request* request = own.bound.first()) {
    leave_line(*request);
    // What it hoped to find there is gone.
    rank(*request, request->submission.prompt_tokens);
    join_others(*request, nullptr);
  }
  if (own.listed_room >= 0) by_room_.erase({own.listed_room, endpoint.spec.id, &endpoint});
  own.listed_room = -1;
}

void ResidentSet::end_session(Session& session) {
  if (Endpoint* endpoint = fleet_->find(session.resident_at)) {
    pause(*endpoint, session.key);
    if (session.in_flight == 0) session.resident_at = EndpointId::none();
  }
}

}  // namespace turnpike::core
