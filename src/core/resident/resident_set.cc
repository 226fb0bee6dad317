#include "core/resident/resident_set.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "core/placement/scorers.h"
#include "core/pool/fleet.h"
#include "core/resident/account.h"
#include "core/session/session.h"

namespace turnpike::core {
namespace {

constexpr int kTries = 8;  // that fit by the least they may need, and are looked at closely

bool serves(const Endpoint& endpoint, ModelId model) {
  return std::ranges::binary_search(endpoint.spec.models, model);
}

// Nothing runs there or is kept: what never fits beside others may go.
bool is_alone(const Endpoint& endpoint) {
  return endpoint.ledger.leases() == 0 && endpoint.account->by_idleness.empty();
}

bool usable(const Endpoint& endpoint, TimePoint now) {
  return endpoint.dispatchable && endpoint.sheds_until <= now;
}

}  // namespace

// R4. The deadline is virtual: the more there is to compute, the later it is.
void ResidentSet::enqueue(Request& request, TokenCount uncached, Endpoint* bound, TimePoint now) {
  Session* session = request.session;
  if (session != nullptr) count_return(*session, now);
  ResidentPart& part = request.resident;
  double least_need = request.submission.prompt_tokens.as_double();
  fleet_->for_each_serving(request.submission.model, [&](const Endpoint& endpoint) {
    least_need = std::min(least_need, own_tokens(request, endpoint));
  });
  part.need = static_cast<std::int64_t>(least_need + reserve_.value());
  const double work = uncached.as_double() + static_cast<double>(part.need) / 4;
  part.deadline = request.arrival.at + from_seconds(params_.alpha * work / 1000);
  part.by_real_deadline =
      request.submission.deadline && *request.submission.deadline < part.deadline;
  if (part.by_real_deadline) part.deadline = *request.submission.deadline;
  request.order_value = part.deadline.time_since_epoch().count();
  part.rank = {.tier = 0, .value = request.order_value, .arrival = request.arrival};
  if (next_tick_ <= now) next_tick_ = now + std::chrono::seconds(1);

  Endpoint* home = session == nullptr ? nullptr : fleet_->find(session->resident_at);
  const bool at_home = home != nullptr && home->dispatchable && home->account != nullptr &&
                       home->account->occupants.contains(session->key) &&
                       serves(*home, request.submission.model);
  if (at_home) {
    join_residents(request, *home);
  } else if (bound != nullptr && bound->dispatchable) {
    join_bound(request, *bound);
  } else {
    join_free(request);
  }
}

void ResidentSet::join_residents(Request& request, Endpoint& endpoint) {
  ResidentAccount& own = account(endpoint);
  Occupant& occupant = own.occupants[request.session->key];
  ++occupant.waiting;
  own.by_expiry.erase({occupant.until, request.session->key});
  own.residents.emplace(request.arrival, &request);
  request.resident.line = ResidentLine::resident;
  request.resident.endpoint = &endpoint;
  ++in_lines_;
}

void ResidentSet::join_bound(Request& request, Endpoint& endpoint) {
  account(endpoint).bound.insert(request.resident.rank, request.resident.need, &request);
  request.resident.line = ResidentLine::bound;
  request.resident.endpoint = &endpoint;
  ++in_lines_;
}

void ResidentSet::join_free(Request& request) {
  ++in_lines_;
  request.resident.line = ResidentLine::free;
  request.resident.endpoint = nullptr;
  free_[request.submission.model].insert(request.resident.rank, request.resident.need, &request);
}

void ResidentSet::withdraw(Request& request, TimePoint now) {
  if (seat_.request == &request) seat_ = {};
  Endpoint* home =
      request.resident.line == ResidentLine::resident ? request.resident.endpoint : nullptr;
  leave_line(request);
  if (home == nullptr) return;
  ResidentAccount& own = account(*home);
  Occupant& occupant = own.occupants[request.session->key];
  // Its turn went away: it acts again, for what is left of its time.
  if (occupant.waiting == 0 && occupant.resident) {
    occupant.until = std::max(occupant.until, now);
    own.by_expiry.emplace(occupant.until, request.session->key);
  }
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
      account(*part.endpoint).bound.erase(part.rank);
      break;
    case ResidentLine::free: {
      const auto line = free_.find(request.submission.model);
      line->second.erase(part.rank);
      if (line->second.empty()) free_.erase(line);
      break;
    }
  }
  part.line = ResidentLine::none;
  part.endpoint = nullptr;
  --in_lines_;
}

ResidentSet::Choice ResidentSet::next(TimePoint now) {
  for (const auto& [id, endpoint] : fleet_->all()) {
    const ResidentAccount* own = endpoint->account.get();
    const bool keeps = own != nullptr && (!own->by_idleness.empty() || !own->residents.empty() ||
                                          !own->bound.empty());
    if (keeps && !endpoint->dispatchable) lose(*endpoint);
  }
  for (;;) {
    if (const Choice choice = next_resident(now); choice.request != nullptr) return choice;
    if (const Choice choice = next_seated(now); choice.request != nullptr) return choice;
    if (const Choice choice = next_other(now); choice.request != nullptr) return choice;
    if (!give_seat(now)) return {};
  }
}

// R1. A resident's turn goes as soon as its endpoint has a slot; nobody else's does before it.
ResidentSet::Choice ResidentSet::next_resident(TimePoint now) {
  for (const auto& [id, endpoint] : fleet_->all()) {
    ResidentAccount* own = endpoint->account.get();
    if (own == nullptr || own->residents.empty() || !usable(*endpoint, now) || !has_slot(*endpoint))
      continue;
    const bool yields =
        seat_.endpoint == endpoint.get() && own->turns_past_seat >= params_.max_resident_turns;
    Request* request = own->residents.begin()->second;
    if (yields || !can_run(*request, *endpoint)) continue;
    return {.request = request, .endpoint = endpoint.get(), .why = Why::resident};
  }
  return {};
}

ResidentSet::Choice ResidentSet::next_seated(TimePoint now) {
  if (seat_.request == nullptr) return {};
  if (!seat_.endpoint->dispatchable || !serves(*seat_.endpoint, seat_.request->submission.model)) {
    seat_ = {};
    return {};
  }
  make_room(*seat_.request, *seat_.endpoint);
  if (!admits(*seat_.request, *seat_.endpoint, now)) return {};
  return {.request = seat_.request, .endpoint = seat_.endpoint, .why = Why::seat};
}

// R2. The first in the order whose whole context fits somewhere.
ResidentSet::Choice ResidentSet::next_other(TimePoint now) {
  Choice best;
  const auto consider = [&](const Choice& choice) {
    const ResidentPart& part = choice.request->resident;
    if (best.request != nullptr && best.request->resident.rank < part.rank) return;
    best = choice;
    best.why = part.by_real_deadline ? Why::deadline : Why::cold;
  };
  for (const auto& [id, endpoint] : fleet_->all()) {
    if (!usable(*endpoint, now) || endpoint.get() == seat_.endpoint || !has_slot(*endpoint))
      continue;
    ResidentAccount& own = account(*endpoint);
    if (own.bound.empty()) continue;
    const double most = is_alone(*endpoint) ? 1e15 : room(*endpoint, 0, true);
    Request* request =
        own.bound.first_fitting(static_cast<std::int64_t>(std::clamp(most, -1.0, 1e15)));
    for (int i = 0; request != nullptr && i < kTries; ++i) {
      if (admits(*request, *endpoint, now)) {
        consider({.request = request, .endpoint = endpoint.get()});
        break;
      }
      request = own.bound.first_fitting(static_cast<std::int64_t>(std::clamp(most, -1.0, 1e15)),
                                        &request->resident.rank);
    }
  }
  for (const auto& [model, line] : free_) {
    double most = -1;
    fleet_->for_each_serving(model, [&](Endpoint& endpoint) {
      if (!usable(endpoint, now) || &endpoint == seat_.endpoint || !has_slot(endpoint)) return;
      account(endpoint);  // made at first sight
      most = std::max(most, is_alone(endpoint) ? 1e15 : room(endpoint, 0, false));
    });
    const auto limit = static_cast<std::int64_t>(std::clamp(most, -1.0, 1e15));
    Request* request = line.first_fitting(limit);
    for (int i = 0; request != nullptr && i < kTries; ++i) {
      if (const Choice choice = best_place(*request, now); choice.endpoint != nullptr) {
        consider(choice);
        break;
      }
      request = line.first_fitting(limit, &request->resident.rank);
    }
  }
  return best;
}

// The admissible endpoint with the least (uncached + backlog) x (in flight + 1) x seconds per token.
ResidentSet::Choice ResidentSet::best_place(Request& request, TimePoint now) const {
  Choice best{.request = &request};
  Weighing& weighing = best.weighing;
  std::uint64_t attraction = 0;
  std::uint64_t second_attraction = 0;
  const std::uint64_t subject =
      request.session == nullptr ? request.submission.id.value() : request.session->key.value();
  fleet_->for_each_serving(request.submission.model, [&](Endpoint& endpoint) {
    if (&endpoint == seat_.endpoint || !admits(request, endpoint, now)) return;
    const auto& blocks = request.submission.blocks;
    const double share = blocks.empty() ? 0.0
                                        : static_cast<double>(endpoint.prefixes->held(blocks)) /
                                              static_cast<double>(blocks.size());
    const double uncached = request.submission.prompt_tokens.as_double() * (1.0 - share);
    const double cost = (uncached + endpoint.ledger.backlog().as_double()) *
                        (endpoint.ledger.leases() + 1) * endpoint.ledger.seconds_per_token();
    const std::uint64_t weight = rendezvous_weight(subject, endpoint.name_hash);
    ++weighing.candidates;
    const auto beats = [&](double other, std::uint64_t others_weight) {
      return cost < other || (cost == other && weight >= others_weight);
    };
    if (best.endpoint == nullptr || beats(weighing.score, attraction)) {
      if (best.endpoint != nullptr) {
        weighing.runner_up = best.endpoint->spec.id;
        weighing.runner_up_score = weighing.score;
        second_attraction = attraction;
      }
      best.endpoint = &endpoint;
      weighing.score = cost;
      attraction = weight;
    } else if (weighing.runner_up.is_none() || beats(weighing.runner_up_score, second_attraction)) {
      weighing.runner_up = endpoint.spec.id;
      weighing.runner_up_score = cost;
      second_attraction = weight;
    }
  });
  return best;
}

Request* ResidentSet::first_in_order() const {
  Request* first = nullptr;
  const auto consider = [&](Request* request) {
    if (request == nullptr) return;
    if (first == nullptr || request->resident.rank < first->resident.rank) first = request;
  };
  for (const auto& [model, line] : free_) consider(line.first());
  for (const auto& [id, endpoint] : fleet_->all()) {
    if (endpoint->account != nullptr) consider(endpoint->account->bound.first());
  }
  return first;
}

// R5. The first in the order has passed its deadline and fits nowhere: one endpoint makes room for it. True if it got one.
bool ResidentSet::give_seat(TimePoint now) {
  last_seat_check_ = now;
  Request* first = first_in_order();
  if (first == nullptr) return false;
  for (const auto& [id, endpoint] : fleet_->all()) {
    if (endpoint->account != nullptr && endpoint->dispatchable) endpoint->account->refused = true;
  }
  if (seat_.request != nullptr || first->resident.deadline > now) return false;
  Endpoint* chosen = first->resident.endpoint;
  if (chosen == nullptr) {
    fleet_->for_each_serving(first->submission.model, [&](Endpoint& endpoint) {
      if (!endpoint.dispatchable) return;
      const bool less = chosen != nullptr && account(endpoint).running < account(*chosen).running;
      const bool tie_by_id = chosen != nullptr &&
                             account(endpoint).running == account(*chosen).running &&
                             endpoint.spec.id < chosen->spec.id;
      if (chosen == nullptr || less || tie_by_id) chosen = &endpoint;
    });
  }
  if (chosen == nullptr) return false;
  seat_ = {.request = first, .endpoint = chosen};
  account(*chosen).turns_past_seat = 0;
  ++seats_;
  return true;
}

void ResidentSet::make_room(const Request& request, Endpoint& endpoint) {
  ResidentAccount& own = account(endpoint);
  while (!own.by_idleness.empty() &&
         room(endpoint, need(request, endpoint), request.session != nullptr) < 0) {
    pause(endpoint, own.by_idleness.begin()->second);
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
  ResidentPart& part = request.resident;
  const double tokens = own_tokens(request, endpoint);
  part.taken = tokens + reserve_.value();
  part.taken_whole = request.submission.prompt_tokens.as_double() + reserve_.value();
  part.above = -1;
  part.counted = true;
  if (Session* session = request.session) {
    if (session->resident_at && session->resident_at != endpoint.spec.id) {
      if (Endpoint* former = fleet_->find(session->resident_at)) pause(*former, session->key);
    }
    if (request.main_chain && session->turns > 0) {
      growth_.add(
          std::max(0.0, (request.submission.prompt_tokens - session->context_tokens).as_double()));
    }
    Occupant& occupant = own.occupants[session->key];
    if (occupant.resident) {
      own.by_idleness.erase({occupant.idle_since, session->key});
      own.by_expiry.erase({occupant.until, session->key});
      own.resting -= occupant.context;
      occupant.resident = false;
    } else if (occupant.running > 0) {
      // Parallel requests of one session share their beginning.
      part.taken = std::max(0.0, tokens - occupant.context) + reserve_.value();
    }
    ++occupant.running;
    if (const auto above = own.stack.above(session->key); above && session->turns > 0) {
      part.above = above->as_double();
      part.put = std::min(tokens, occupant.context);
    }
    occupant.context = std::max(occupant.context, tokens);
    own.stack.touch(session->key, TokenCount(static_cast<std::int64_t>(tokens)));
    own.stack.bound(TokenCount(static_cast<std::int64_t>(16 * own.capacity)));
    session->resident_at = endpoint.spec.id;
  }
  own.running += part.taken;
  own.running_whole += part.taken_whole;
  fit(endpoint);
}

// R3. The session's context is now in the endpoint's cache: it keeps its place for a while, if that is worth it.
void ResidentSet::ended(Request& request, Endpoint& endpoint, const Settlement* settlement,
                        bool answered, TimePoint now) {
  ResidentPart& part = request.resident;
  if (!std::exchange(part.counted, false)) return;
  ResidentAccount& own = account(endpoint);
  own.running -= part.taken;
  own.running_whole -= part.taken_whole;
  const double output = settlement == nullptr || !settlement->usage.output_tokens
                            ? reserve_.value()
                            : settlement->usage.output_tokens->as_double();
  if (settlement != nullptr && settlement->usage.output_tokens &&
      settlement->ending == Ending::finished)
    reserve_.add(output);
  Session* session = request.session;
  if (session != nullptr) {
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
      if (occupant.running == 0 && endpoint.dispatchable) {
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
  own.resting += occupant.context;
  own.by_idleness.emplace(now, session.key);
  session.resident_at = endpoint.spec.id;
  for (Request* turn = session.waiting.first(); turn != nullptr;
       turn = LinkedList<Request, OfSession>::after(*turn)) {
    const bool elsewhere =
        turn->resident.line == ResidentLine::bound || turn->resident.line == ResidentLine::free;
    if (!elsewhere || turn == seat_.request || !serves(endpoint, turn->submission.model)) continue;
    leave_line(*turn);
    join_residents(*turn, endpoint);
  }
  Occupant& now_there = own.occupants[session.key];
  if (now_there.waiting == 0) own.by_expiry.emplace(now_there.until, session.key);
}

// It leaves the account; its waiting turns queue as any other. Whatever runs of it is not touched.
void ResidentSet::pause(Endpoint& endpoint, SessionKey key) {
  ResidentAccount& own = account(endpoint);
  const auto found = own.occupants.find(key);
  if (found == own.occupants.end()) return;
  Occupant& occupant = found->second;
  if (occupant.resident) {
    own.by_idleness.erase({occupant.idle_since, key});
    own.by_expiry.erase({occupant.until, key});
    own.resting -= occupant.context;
    occupant.resident = false;
    ++pauses_;
  }
  std::vector<Request*> turns;
  for (const auto& [arrival, request] : own.residents) {
    if (request->session->key == key) turns.push_back(request);
  }
  for (Request* request : turns) {
    request->session->resident_at = EndpointId::none();
    leave_line(*request);
    // The engine may still have it: it waits there, and finds its cache or not.
    join_bound(*request, endpoint);
  }
  if (own.by_idleness.empty()) own.resting = 0;
  forget_if_empty(endpoint, key);
}

// "Pause": what is over the capacity leaves, longest idle first, as the engine's own cache would forget it.
void ResidentSet::fit(Endpoint& endpoint) {
  ResidentAccount& own = account(endpoint);
  while (!own.by_idleness.empty() && own.used() > own.capacity - shared(endpoint)) {
    pause(endpoint, own.by_idleness.begin()->second);
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
  if (seat_.endpoint == &endpoint) seat_ = {};
  while (!own.by_idleness.empty()) pause(endpoint, own.by_idleness.begin()->second);
  while (!own.residents.empty()) pause(endpoint, own.residents.begin()->second->session->key);
  while (Request* request = own.bound.first()) {
    leave_line(*request);
    join_free(*request);
  }
}

void ResidentSet::end_session(Session& session) {
  if (Endpoint* endpoint = fleet_->find(session.resident_at)) {
    pause(*endpoint, session.key);
    if (session.in_flight == 0) session.resident_at = EndpointId::none();
  }
}

}  // namespace turnpike::core
