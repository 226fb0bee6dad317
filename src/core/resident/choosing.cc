#include <algorithm>
#include <cassert>
#include <limits>
#include <ranges>
#include <utility>

#include "base/random.h"
#include "core/placement/scorers.h"
#include "core/pool/fleet.h"
#include "core/resident/account.h"
#include "core/resident/resident_set.h"
#include "core/session/session.h"

// Whose turn is next, and where.
namespace turnpike::core {
namespace {

constexpr int kTries = 8;  // that fit by the least they may need, and are looked at closely
constexpr double kNoLimit = 1e15;
// Places are weighed among so many of those that hold most of the prompt and so many of those with most room.
constexpr std::size_t kMostWeighed = 64;

// Nothing runs there or is kept: what never fits beside others may go.
bool is_alone(const Endpoint& endpoint) {
  return endpoint.ledger.leases() == 0 && endpoint.account->by_idleness.empty();
}

bool usable(const Endpoint& endpoint, TimePoint now) {
  return endpoint.dispatchable && endpoint.sheds_until <= now;
}

}  // namespace

void ResidentSet::stir(Endpoint& endpoint) {
  fleet_->note_change(endpoint);
}

// Gathers what has changed. Endpoints that get nothing any more lose their residents here.
void ResidentSet::take_changes(TimePoint now) {
  const auto look_at = [&](Endpoint& endpoint) {
    ResidentAccount& own = account(endpoint);
    const bool keeps = !own.by_idleness.empty() || !own.residents.empty() || !own.bound.empty();
    if (keeps && !endpoint.dispatchable) lose(endpoint);
    list_room(endpoint, now);
    if (std::exchange(own.stirred, true)) return;
    stirred_.push_back(endpoint.spec.id);
  };
  if (std::exchange(stir_all_, false)) {
    for (const auto& [id, endpoint] : fleet_->all()) stir(*endpoint);
  }
  // Whoever loses its residents stirs nothing but itself.
  for (const EndpointId id : fleet_->take_changed()) {
    if (Endpoint* endpoint = fleet_->find(id)) look_at(*endpoint);
  }
}

// What could still be taken there beside a seat: nothing where somebody waits for one.
void ResidentSet::list_room(Endpoint& endpoint, TimePoint now) {
  ResidentAccount& own = account(endpoint);
  double space = -1;
  if (usable(endpoint, now) && &endpoint != seat_.endpoint && has_slot(endpoint))
    space = is_alone(endpoint)
                ? kNoLimit
                : std::max(-1.0, std::min(room(endpoint, 0, false), left_to_run(endpoint)));
  if (space == own.listed_room) return;
  if (own.listed_room >= 0) by_room_.erase({own.listed_room, endpoint.spec.id, &endpoint});
  own.listed_room = space;
  if (space >= 0) by_room_.insert({space, endpoint.spec.id, &endpoint});
}

ResidentSet::Choice ResidentSet::next(TimePoint now) {
  for (;;) {
    take_changes(now);
    if (const Choice choice = next_resident(now); choice.request != nullptr) return choice;
    if (const Choice choice = next_seated(now); choice.request != nullptr) return choice;
    if (const Choice choice = next_other(now); choice.request != nullptr) return choice;
    if (!give_seat(now)) return {};
  }
}

// R1. A resident's turn goes as soon as its endpoint has a slot; nobody else's does before it.
ResidentSet::Choice ResidentSet::next_resident(TimePoint now) {
  for (const EndpointId id : stirred_) {
    Endpoint* endpoint = fleet_->find(id);
    if (endpoint == nullptr) continue;
    const ResidentAccount& own = *endpoint->account;
    if (own.residents.empty() || !usable(*endpoint, now) || !has_slot(*endpoint)) continue;
    const bool yields =
        seat_.endpoint == endpoint && own.turns_past_seat >= params_.max_resident_turns;
    Request* request = own.residents.begin()->second;
    if (yields || !can_run(*request, *endpoint) || fleet_->lacks_prefill(*request, *endpoint))
      continue;
    return {.request = request, .endpoint = endpoint, .why = Why::resident};
  }
  return {};
}

ResidentSet::Choice ResidentSet::next_seated(TimePoint now) {
  if (seat_.request == nullptr) return {};
  if (!seat_.endpoint->can_serve(seat_.request->submission.model)) {
    leave_seat();
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
    if (best.request == nullptr || goes_before(*choice.request, *best.request)) best = choice;
  };
  std::erase_if(fresh_, [&](Request* request) {
    const Choice choice = exceeds_share(*request) ? Choice{} : best_place(*request, now);
    if (choice.endpoint != nullptr) {
      consider(choice);
      return false;
    }
    request->resident.fresh = false;
    return true;
  });
  // Where many have changed at once, the order is kept among a few of them at a time.
  constexpr std::size_t kAtOnce = 8;
  for (std::size_t i = 0; i < stirred_.size() && i < kAtOnce;) {
    Endpoint* endpoint = fleet_->find(stirred_[i]);
    Request* request = endpoint == nullptr ? nullptr : first_that_fits(*endpoint, now);
    if (request == nullptr) {
      if (endpoint != nullptr) endpoint->account->stirred = false;
      stirred_[i] = stirred_.back();
      stirred_.pop_back();
      continue;
    }
    ++i;
    if (best.request != nullptr && !goes_before(*request, *best.request)) continue;
    const bool free = request->resident.line == ResidentLine::free;
    best = free ? best_place(*request, now) : Choice{.request = request, .endpoint = endpoint};
    if (best.endpoint == nullptr) best = {.request = request, .endpoint = endpoint};
  }
  if (best.request != nullptr && best.request->resident.by_real_deadline) best.why = Why::deadline;
  return best;
}

Request* ResidentSet::first_that_fits(Endpoint& endpoint, TimePoint now) {
  ResidentAccount& own = *endpoint.account;
  if (own.listed_room < 0) return nullptr;
  const auto most = static_cast<std::int64_t>(own.listed_room);
  Request* best = first_in(own.bound, endpoint, most, now);
  for (const ModelId model : endpoint.spec.models) {
    const auto lines = free_.find(model);
    if (lines == free_.end()) continue;
    for (const auto& [tenant, line] : lines->second) {
      if (best != nullptr && !may_go_before(tenant, line, *best)) continue;
      if (line.least() > most || shares_.exceeds(tenant, total_capacity_)) continue;
      Request* request = first_in(line, endpoint, most, now);
      if (request != nullptr && (best == nullptr || goes_before(*request, *best))) best = request;
    }
  }
  return best;
}

Request* ResidentSet::first_in(const Line& line, Endpoint& endpoint, std::int64_t most,
                               TimePoint now) const {
  Request* request = line.first_fitting(most);
  for (int i = 0; request != nullptr && i < kTries; ++i) {
    if (!exceeds_share(*request) && admits(*request, endpoint, now)) return request;
    const Rank rank = request->resident_rank();
    request = line.first_fitting(most, &rank);
  }
  return nullptr;
}

// Classes, then tenants, then virtual deadlines.
bool ResidentSet::goes_before(const Request& a, const Request& b) const {
  const Rank x = a.resident_rank();
  const Rank y = b.resident_rank();
  if (x.tier != y.tier || order_params_.tenants == TenantOrder::none ||
      a.submission.tenant == b.submission.tenant)
    return x < y;
  const double of_a = tenants_->usage(order_params_.tenants, a.submission.tenant);
  const double of_b = tenants_->usage(order_params_.tenants, b.submission.tenant);
  return of_a != of_b ? of_a < of_b : x < y;
}

// Whether anything of the line can go before `other`.
bool ResidentSet::may_go_before(TenantKey tenant, const Line& line, const Request& other) const {
  if (order_params_.tenants == TenantOrder::none || tenant == other.submission.tenant ||
      line.first_rank().tier != other.resident.tier)
    return line.first_rank() < other.resident_rank();
  return tenants_->usage(order_params_.tenants, tenant) <=
         tenants_->usage(order_params_.tenants, other.submission.tenant);
}

bool ResidentSet::exceeds_share(const Request& request) const {
  return shares_.exceeds(request.submission.tenant, total_capacity_);
}

// The admissible endpoint with the least (uncached + backlog) x (in flight + 1) x seconds per token.
ResidentSet::Choice ResidentSet::best_place(Request& request, TimePoint now) {
  const auto& blocks = request.submission.blocks;
  const double prompt = request.submission.prompt_tokens.as_double();
  const double per_block = blocks.empty() ? 0.0 : prompt / static_cast<double>(blocks.size());
  const std::uint64_t subject =
      request.session == nullptr ? request.submission.id.value() : request.session->key.value();
  if (by_room_.empty() || by_room_.rbegin()->room < static_cast<double>(request.resident.need))
    return {.request = &request};

  held_.find(fleet_->prefix_holders(), blocks);
  weighed_.clear();
  ++weighings_;
  const auto weigh = [&](Endpoint& endpoint) {
    if (std::exchange(endpoint.account->weighing, weighings_) == weighings_) return;
    if (!endpoint.serves(request.submission.model)) return;
    const double uncached = prompt - per_block * static_cast<double>(held_.of(endpoint.slot));
    const double cost = (uncached + endpoint.ledger.backlog().as_double()) *
                        (endpoint.ledger.leases() + 1) * endpoint.ledger.seconds_per_token();
    weighed_.push_back({.cost = cost,
                        .attraction = rendezvous_weight(subject, endpoint.name_hash),
                        .endpoint = &endpoint});
  };
  for (const std::uint32_t slot : held_.found()) {
    Endpoint& endpoint = fleet_->at_slot(slot);
    const bool fits = endpoint.account != nullptr &&
                      endpoint.account->listed_room >= static_cast<double>(request.resident.need);
    if (fits) weigh(endpoint);
    if (weighed_.size() >= kMostWeighed) break;
  }
  const std::size_t holders = weighed_.size();
  // Of those with the very same room, which in a calm fleet are all, each session begins at another: else a few would get everything.
  const double top = by_room_.rbegin()->room;
  const EndpointId begin(static_cast<std::uint32_t>(mix64(subject) % fleet_->all().size()));
  for (auto listed = by_room_.lower_bound({.room = top, .id = begin}); listed != by_room_.end();
       ++listed) {
    weigh(*listed->endpoint);
    if (weighed_.size() >= holders + kMostWeighed) break;
  }
  for (const Listed& listed : std::views::reverse(by_room_)) {
    if (weighed_.size() >= holders + kMostWeighed) break;
    if (listed.room < static_cast<double>(request.resident.need)) break;
    weigh(*listed.endpoint);
  }
  // Whether one admits it is worth knowing only of the best.
  const auto worse = [](const Weighed& a, const Weighed& b) {
    return a.cost != b.cost ? a.cost > b.cost : a.attraction < b.attraction;
  };
  std::ranges::make_heap(weighed_, worse);
  Choice best{.request = &request};
  best.weighing.candidates = static_cast<std::uint32_t>(weighed_.size());
  while (!weighed_.empty() && best.weighing.runner_up.is_none()) {
    std::ranges::pop_heap(weighed_, worse);
    const Weighed least = weighed_.back();
    weighed_.pop_back();
    if (!admits(request, *least.endpoint, now)) continue;
    if (best.endpoint == nullptr) {
      best.endpoint = least.endpoint;
      best.weighing.score = least.cost;
    } else {
      best.weighing.runner_up = least.endpoint->spec.id;
      best.weighing.runner_up_score = least.cost;
    }
  }
  return best;
}

// R5. The first in the order has passed its deadline and fits nowhere: one endpoint makes room for it. True if it got one.
bool ResidentSet::give_seat(TimePoint now) {
  last_seat_check_ = now;
  if (all_others_.empty()) return false;
  somebody_refused_ = true;
  if (seat_.request != nullptr) return false;
  Request* late = all_others_.first();
  for (int i = 0; late != nullptr && i < kTries; ++i) {
    if (late->virtual_deadline() > now) return false;
    Endpoint* chosen = exceeds_share(*late) ? nullptr : late->resident.endpoint;
    if (chosen == nullptr && !exceeds_share(*late)) {
      fleet_->for_each_serving(late->submission.model, [&](Endpoint& endpoint) {
        if (!endpoint.dispatchable) return;
        const auto in_the_way = [&](Endpoint& e) {
          return std::pair(account(e).running, e.spec.id);
        };
        if (chosen == nullptr || in_the_way(endpoint) < in_the_way(*chosen)) chosen = &endpoint;
      });
    }
    if (chosen != nullptr) {
      seat_ = {.request = late, .endpoint = chosen};
      account(*chosen).turns_past_seat = 0;
      stir(*chosen);
      ++seats_;
      return true;
    }
    const Rank rank = late->resident_rank();
    late = all_others_.first_fitting(std::numeric_limits<std::int64_t>::max(), &rank);
  }
  return false;
}

void ResidentSet::leave_seat() {
  if (seat_.endpoint != nullptr) stir(*seat_.endpoint);
  seat_ = {};
}

void ResidentSet::make_room(const Request& request, Endpoint& endpoint) {
  const ResidentAccount& own = account(endpoint);
  while (!own.by_idleness.empty() &&
         room(endpoint, need(request, endpoint), request.session != nullptr) < 0) {
    pause(endpoint, victim(endpoint));
  }
}

}  // namespace turnpike::core
