#include "core/pool/fleet.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "core/admission/room.h"
#include "core/health/dispatchable.h"
#include "core/placement/confidence.h"

namespace turnpike::core {
namespace {

constexpr int kStaleScrapes = 3;
// How long it is remembered since when a model has had no endpoint, if nothing serves it any more.
constexpr Duration kRememberDark = std::chrono::minutes(10);

HealthFacts facts(const Endpoint& endpoint, TimePoint now) {
  return {.draining = endpoint.draining,
          .removed = endpoint.removed,
          .healthy = endpoint.healthy,
          .breaker = endpoint.breaker.state(now),
          .probing = endpoint.breaker.probing(),
          .refuses = endpoint.breaker.refuses()};
}

void erase_from(std::vector<Endpoint*>& list, Endpoint& endpoint) {
  list[endpoint.position] = list.back();
  list[endpoint.position]->position = endpoint.position;
  list.pop_back();
}

}  // namespace

Endpoint& Fleet::add(const EndpointSpec& spec, TimePoint now) {
  if (Endpoint* known = find(spec.id)) {
    known->removed = known->draining = false;
    reassign(*known, spec, now);
    return *known;
  }
  return adopt(std::make_unique<Endpoint>(spec, added_++), now);
}

Endpoint& Fleet::adopt(std::unique_ptr<Endpoint> endpoint, TimePoint now) {
  Endpoint& e = *endpoint;
  e.group = nullptr;
  e.access = Access::none;
  e.most = kAnySize;
  e.dispatchable = e.prefill_room = e.calm = e.counted = e.counted_well = e.noted = false;
  e.wake = TimePoint::max();
  if (!e.prefixes) e.prefixes.emplace(params_->prefix.max_bytes);
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(nullptr);
  }
  e.slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[e.slot] = &e;
  e.prefixes->tell(&prefix_holders_, e.slot);
  std::ranges::sort(e.spec.models);
  by_id_[e.spec.id] = &e;
  endpoints_[e.spec.id] = std::move(endpoint);
  if (!e.removed) join(e, now);
  refresh(e, now);
  return e;
}

std::vector<std::unique_ptr<Endpoint>> Fleet::release_all() {
  std::vector<std::unique_ptr<Endpoint>> released;
  released.reserve(endpoints_.size());
  for (auto& [id, endpoint] : endpoints_) {
    endpoint->prefixes->tell(nullptr, 0);
    released.push_back(std::move(endpoint));
  }
  *this = Fleet(*params_);
  return released;
}

void Fleet::remove(Endpoint& endpoint, TimePoint now) {
  endpoint.removed = true;
  endpoint.holds.clear();
  refresh(endpoint, now);
  leave(endpoint, now);
  bury(endpoint);
}

void Fleet::bury(Endpoint& endpoint) {
  if (!endpoint.removed || endpoint.ledger.leases() > 0) return;
  set_wake(endpoint, TimePoint::max());
  endpoint.prefixes->tell(nullptr, 0);
  slots_[endpoint.slot] = nullptr;
  free_slots_.push_back(endpoint.slot);
  const EndpointId id = endpoint.spec.id;
  by_id_.erase(id);
  endpoints_.erase(id);
}

void Fleet::set_models(Endpoint& endpoint, std::vector<ModelId> models, TimePoint now) {
  EndpointSpec spec = endpoint.spec;
  spec.models = std::move(models);
  reassign(endpoint, spec, now);
}

// Other models, or another part in the work.
void Fleet::reassign(Endpoint& endpoint, const EndpointSpec& spec, TimePoint now) {
  set_opening(endpoint, {});
  set_dispatchable(endpoint, false, now);
  leave(endpoint, now);
  endpoint.spec.models = spec.models;
  std::ranges::sort(endpoint.spec.models);
  endpoint.spec.role = spec.role;
  endpoint.spec.group = spec.group;
  if (!endpoint.removed) join(endpoint, now);
  refresh(endpoint, now);
}

void Fleet::refresh(Endpoint& endpoint, TimePoint now) {
  count(endpoint, now);
  const bool panic = is_panic(well_, live_, params_->breaker.panic_threshold);
  if (panic != panic_) {
    panic_ = panic;
    refresh_everyone(now);
  } else {
    refresh_one(endpoint, now);
  }
}

// Prefill endpoints first: what decode endpoints take depends on them.
void Fleet::refresh_everyone(TimePoint now) {
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint->spec.role == Role::prefill) refresh_one(*endpoint, now);
  }
  for (auto& [id, endpoint] : endpoints_) {
    if (endpoint->spec.role != Role::prefill) refresh_one(*endpoint, now);
  }
}

void Fleet::refresh_all(TimePoint now) {
  for (auto& [id, endpoint] : endpoints_) count(*endpoint, now);
  panic_ = is_panic(well_, live_, params_->breaker.panic_threshold);
  refresh_everyone(now);
}

Endpoint* Fleet::find(EndpointId id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

Opening Fleet::opening(ModelId model) const {
  if (!any_room()) return {};
  const auto route = routes_.find(model);
  if (route == routes_.end()) return {};
  Opening best;
  for (const ServingGroup* group : route->second.groups) {
    best.shares_slot = best.shares_slot || !group->held.empty();
    if (!group->open.empty()) {
      const bool counted = group->by_room.size() == group->open.size();
      const TokenCount most = counted ? group->by_room.rbegin()->first : kAnySize;
      if (most == kAnySize) return {.access = Access::all};
      best.most = best.access == Access::all ? std::max(best.most, most) : most;
      best.access = Access::all;
    } else if (!group->held.empty() && best.access == Access::none) {
      best.access = Access::boosted;
    }
  }
  return best;
}

Opening Fleet::opening_at(EndpointId id) const {
  const Endpoint* endpoint = find(id);
  return endpoint == nullptr ? Opening{}
                             : Opening{.access = endpoint->access, .most = endpoint->most};
}

bool Fleet::has_held_room(const Endpoint& endpoint, TimePoint now) const {
  return endpoint.dispatchable && endpoint.sheds_until <= now &&
         has_room(params_->admission, occupancy(endpoint, now), 0);
}

bool Fleet::lacks_prefill(const Request& request, const Endpoint& endpoint) const {
  return hands_over() && pairs_.lacks_prefill(endpoint, request.submission.model) &&
         expected_uncached(params_->prefix, request, endpoint) >=
             params_->pairs.remote_prefill_from;
}

void Fleet::collect(const Request& request, std::vector<Endpoint*>& out) const {
  out.clear();
  const auto route = routes_.find(request.submission.model);
  if (route == routes_.end()) return;
  const auto tried = request.tried();
  const auto add = [&](Endpoint* endpoint) {
    if (std::ranges::find(tried, endpoint->spec.id) == tried.end()) out.push_back(endpoint);
  };
  for (const ServingGroup* group : route->second.groups) {
    for (Endpoint* endpoint : group->open) {
      if (request.size <= endpoint->most) add(endpoint);
    }
    if (!request.boosted) continue;
    for (Endpoint* endpoint : group->held) add(endpoint);
  }
}

bool Fleet::serves(ModelId model, std::span<const EndpointId> except) const {
  const auto route = routes_.find(model);
  if (route == routes_.end()) return false;
  for (const ServingGroup* group : route->second.groups) {
    for (const Endpoint* endpoint : group->members) {
      if (std::ranges::find(except, endpoint->spec.id) == except.end()) return true;
    }
  }
  return false;
}

bool Fleet::dispatchable(ModelId model) const {
  const auto route = routes_.find(model);
  return route != routes_.end() &&
         std::ranges::any_of(route->second.groups,
                             [](const ServingGroup* group) { return group->dispatchable > 0; });
}

TimePoint Fleet::dark_since(ModelId model) const {
  const auto route = routes_.find(model);
  return route == routes_.end() ? TimePoint{} : route->second.dark_since;
}

std::optional<TimePoint> Fleet::next_wake() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.begin()->first;
}

Endpoint* Fleet::due(TimePoint now) const {
  if (wakes_.empty() || wakes_.begin()->first > now) return nullptr;
  return find(wakes_.begin()->second);
}

std::string Fleet::inexact(const Endpoint& endpoint, TimePoint now) const {
  if (endpoint.wake <= now) return {};  // it is about to be woken
  const bool dispatchable =
      endpoint.group != nullptr && is_dispatchable(facts(endpoint, now), panic_);
  if (endpoint.dispatchable != dispatchable) return "dispatchable is out of date";
  const Opening opening = endpoint.group == nullptr ? Opening{} : evaluate(endpoint, now);
  if (endpoint.access != opening.access || endpoint.most != opening.most)
    return "room is out of date";
  if (endpoint.most != kAnySize &&
      !endpoint.group->by_room.contains({endpoint.most, endpoint.spec.id}))
    return "room is not listed";
  const std::vector<Endpoint*>* list = endpoint.access == Access::all       ? &endpoint.group->open
                                       : endpoint.access == Access::boosted ? &endpoint.group->held
                                                                            : nullptr;
  if (list != nullptr && (*list)[endpoint.position] != &endpoint)
    return "the list of open endpoints is wrong";
  return {};
}

void Fleet::compare_speeds(TimePoint now) {
  if (now < next_comparison_) return;
  next_comparison_ = now + std::chrono::seconds(5);
  std::vector<double> prefill;
  std::vector<double> decode;
  const auto median = [](std::vector<double>& values) {
    if (values.size() < 2) return std::numeric_limits<double>::infinity();
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    return *middle;
  };
  for (auto& [models, group] : groups_) {
    prefill.clear();
    decode.clear();
    for (const Endpoint* e : group->members) {
      prefill.push_back(e->ledger.seconds_per_token());
      if (e->itl.samples() > 0) decode.push_back(e->itl.value());
    }
    const double usual_prefill = median(prefill);
    const double usual_decode = median(decode);
    for (Endpoint* e : group->members) {
      const bool slow = e->ledger.seconds_per_token() > kSlowFactor * usual_prefill ||
                        (e->itl.samples() > 0 && e->itl.value() > kSlowFactor * usual_decode);
      e->slow_since = slow ? std::min(e->slow_since, now) : TimePoint::max();
    }
  }
}

bool Fleet::gauges_fresh(const Endpoint& endpoint, TimePoint now) const {
  const std::optional<TimePoint> at = endpoint.ledger.scraped_at();
  return at && endpoint.ledger.gauges().waiting &&
         now - *at <= kStaleScrapes * params_->admission.scrape_interval;
}

Occupancy Fleet::occupancy(const Endpoint& endpoint, TimePoint now) const {
  const Ledger& ledger = endpoint.ledger;
  return {.leases = ledger.leases(),
          .gauges_fresh = gauges_fresh(endpoint, now),
          .waiting = ledger.gauges().waiting.value_or(0),
          .running = ledger.gauges().running.value_or(0),
          .dispatched = ledger.dispatched_since_scrape(),
          .settled = ledger.settled_since_scrape(),
          .slots = ledger.slots(now),
          .adaptive_limit = endpoint.adaptive.value(),
          .running_tokens = ledger.running_tokens() + ledger.foreign_tokens(),
          .capacity = ledger.capacity(),
          .programs = endpoint.programs,
          .program_tokens = endpoint.program_tokens};
}

Opening Fleet::evaluate(const Endpoint& endpoint, TimePoint now) const {
  if (!endpoint.dispatchable || endpoint.sheds_until > now) return {};
  const Occupancy load = occupancy(endpoint, now);
  const int held = static_cast<int>(endpoint.holds.size());
  if (hands_over() && pairs_.lacks_prefill(endpoint)) {
    // Only prompts that are short even if nothing of them is cached; under `program` sizes mean something else.
    const bool sized = params_->admission.rule != AdmissionRule::program;
    if (!sized || !has_room(params_->admission, load, held)) return {};
    const TokenCount shorter = params_->pairs.remote_prefill_from - TokenCount(1);
    return {.access = Access::all,
            .most = std::min(shorter, largest_that_fits(params_->admission, load))};
  }
  if (has_room(params_->admission, load, held))
    return {.access = Access::all, .most = largest_that_fits(params_->admission, load)};
  const bool shared = held > 0 && params_->grace.scope == GraceScope::boosted;
  if (shared && has_room(params_->admission, load, 0)) return {.access = Access::boosted};
  return {};
}

TimePoint Fleet::next_change(const Endpoint& endpoint, TimePoint now) const {
  if (endpoint.removed) return TimePoint::max();
  TimePoint next = TimePoint::max();
  for (const Hold& hold : endpoint.holds) next = std::min(next, hold.until);
  if (endpoint.breaker.state(now) == BreakerState::open)
    next = std::min(next, endpoint.breaker.open_until());
  if (endpoint.sheds_until > now) next = std::min(next, endpoint.sheds_until);
  if (params_->admission.rule == AdmissionRule::backpressure && gauges_fresh(endpoint, now)) {
    const Duration age = kStaleScrapes * params_->admission.scrape_interval;
    next = std::min(next, *endpoint.ledger.scraped_at() + age + Duration(1));
  }
  return next;
}

void Fleet::join(Endpoint& endpoint, TimePoint now) {
  const bool routed = endpoint.spec.role != Role::prefill;
  std::unique_ptr<ServingGroup>& group = groups_[{!routed, endpoint.spec.models}];
  if (group == nullptr) {
    group = std::make_unique<ServingGroup>();
    group->models = endpoint.spec.models;
    for (const ModelId model : group->models) {
      if (!routed) break;
      const auto [route, is_new] = routes_.try_emplace(model);
      if (is_new) route->second.dark_since = now;
      route->second.groups.push_back(group.get());
    }
  }
  group->members.push_back(&endpoint);
  endpoint.group = group.get();
  pairs_.join(endpoint);
}

void Fleet::leave(Endpoint& endpoint, TimePoint now) {
  ServingGroup* group = std::exchange(endpoint.group, nullptr);
  if (group == nullptr) return;
  pairs_.leave(endpoint);
  std::erase(group->members, &endpoint);
  if (!group->members.empty()) return;
  const bool routed = endpoint.spec.role != Role::prefill;
  for (const ModelId model : group->models) {
    if (routed) std::erase(routes_[model].groups, group);
  }
  const auto models = std::pair(!routed, group->models);
  groups_.erase(models);
  forget_dark_models(now);
}

void Fleet::set_opening(Endpoint& endpoint, const Opening& opening) {
  if (endpoint.most != opening.most) {
    if (endpoint.most != kAnySize) endpoint.group->by_room.erase({endpoint.most, endpoint.spec.id});
    endpoint.most = opening.most;
    if (endpoint.most != kAnySize) endpoint.group->by_room.emplace(endpoint.most, endpoint.spec.id);
  }
  if (endpoint.access == opening.access) return;
  const std::size_t routed = endpoint.spec.role == Role::prefill ? 0 : 1;
  if (endpoint.access == Access::all) {
    erase_from(endpoint.group->open, endpoint);
    open_ -= routed;
  } else if (endpoint.access == Access::boosted) {
    erase_from(endpoint.group->held, endpoint);
    held_ -= routed;
  }
  endpoint.access = opening.access;
  if (opening.access == Access::none) return;
  std::vector<Endpoint*>& list =
      opening.access == Access::all ? endpoint.group->open : endpoint.group->held;
  (opening.access == Access::all ? open_ : held_) += routed;
  endpoint.position = list.size();
  list.push_back(&endpoint);
}

void Fleet::set_dispatchable(Endpoint& endpoint, bool dispatchable, TimePoint now) {
  if (endpoint.dispatchable == dispatchable) return;
  endpoint.dispatchable = dispatchable;
  if (dispatchable) endpoint.up_since = now;
  dispatchable ? ++dispatchable_ : --dispatchable_;
  dispatchable ? ++endpoint.group->dispatchable : --endpoint.group->dispatchable;
  if (dispatchable || endpoint.group->dispatchable > 0 || endpoint.spec.role == Role::prefill)
    return;
  for (const ModelId model : endpoint.group->models) {
    if (!this->dispatchable(model)) routes_[model].dark_since = now;
  }
}

void Fleet::note_changes(bool wanted) {
  notes_changes_ = wanted;
  static_cast<void>(take_changed());
}

void Fleet::note_change(Endpoint& endpoint) {
  if (endpoint.spec.role == Role::prefill) return;  // nobody waits for it
  if (!notes_changes_ || std::exchange(endpoint.noted, true)) return;
  changed_.push_back(endpoint.spec.id);
}

std::vector<EndpointId> Fleet::take_changed() {
  for (const EndpointId id : changed_) {
    if (Endpoint* endpoint = find(id)) endpoint->noted = false;
  }
  return std::exchange(changed_, {});
}

void Fleet::set_wake(Endpoint& endpoint, TimePoint wake) {
  if (endpoint.wake == wake) return;
  if (endpoint.wake != TimePoint::max()) wakes_.erase({endpoint.wake, endpoint.spec.id});
  endpoint.wake = wake;
  if (wake != TimePoint::max()) wakes_.emplace(wake, endpoint.spec.id);
}

void Fleet::count(Endpoint& endpoint, TimePoint now) {
  const bool counts = !endpoint.draining && !endpoint.removed;
  const bool well = counts && is_well(facts(endpoint, now));
  live_ += (counts ? 1 : 0) - (endpoint.counted ? 1 : 0);
  well_ += (well ? 1 : 0) - (endpoint.counted_well ? 1 : 0);
  endpoint.counted = counts;
  endpoint.counted_well = well;
}

void Fleet::refresh_one(Endpoint& endpoint, TimePoint now) {
  const bool could_prefill = endpoint.dispatchable;
  const bool had_room = endpoint.prefill_room;
  note_change(endpoint);
  if (endpoint.group != nullptr) {
    set_dispatchable(endpoint, is_dispatchable(facts(endpoint, now), panic_), now);
    std::erase_if(endpoint.holds,
                  [&](const Hold& hold) { return !endpoint.dispatchable || hold.until <= now; });
    set_opening(endpoint, evaluate(endpoint, now));
  }
  const bool calm = endpoint.dispatchable && endpoint.ledger.gauges().waiting.value_or(0) == 0;
  calm_ += (calm ? 1 : 0) - (endpoint.calm ? 1 : 0);
  endpoint.calm = calm;
  set_wake(endpoint, next_change(endpoint, now));
  if (endpoint.spec.role != Role::prefill) return;
  const int slots = endpoint.spec.slots;
  endpoint.prefill_room =
      endpoint.access == Access::all &&
      (slots == 0 || endpoint.ledger.leases() + endpoint.ledger.foreign() < slots);
  if (!hands_over()) return;
  if (could_prefill != endpoint.dispatchable || had_room != endpoint.prefill_room)
    pairs_.for_each_decode(endpoint.spec.group,
                           [&](Endpoint& decode) { refresh_one(decode, now); });
}

void Fleet::forget_dark_models(TimePoint now) {
  absl::erase_if(routes_, [&](const auto& route) {
    return route.second.groups.empty() && route.second.dark_since + kRememberDark < now;
  });
}

}  // namespace turnpike::core
