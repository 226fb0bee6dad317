#include "core/queue/lane.h"

#include <cassert>

#include "core/queue/order_value.h"

namespace turnpike::core {
namespace {

constexpr std::int32_t kOverdue = -1;  // a tier before those of Request::rank()

}  // namespace

Request* Lane::Group::earliest() const {
  if (!by_arrival.empty()) return by_arrival.begin()->second;
  return ranked.empty() ? nullptr : ranked.begin()->second;
}

Request* Lane::Group::first(TokenCount most) const {
  if (most != kAnySize && !by_size.empty()) return by_size.first_fitting(most.value());
  return ranked.empty() ? nullptr : ranked.begin()->second;
}

void Lane::push(Request& request) {
  insert(request);
}

void Lane::erase(Request& request) {
  remove(request);
  forget_passed();
}

bool Lane::dispatched(Request& request, TimePoint now) {
  if (guards_against_starvation()) {
    request.rescued = starving(now) == &request;
    since_rescue_ = request.rescued ? 0 : since_rescue_ + 1;
  }
  erase(request);
  const Request* earliest = earliest_bounded();
  return earliest != nullptr && overtakes_.dispatched(request.arrival, earliest->arrival);
}

void Lane::boost(Request& request, std::uint64_t recency) {
  if (params_.sessions != SessionOrder::session_boost) return;
  remove(request);
  request.boosted = true;
  request.order_value = boosted_value(params_, recency);
  insert(request);
}

Lane::First Lane::first(const Opening& opening, TimePoint now) const {
  const bool all = opening.access == Access::all;
  if (opening.access == Access::none) return {};
  Request* late = all ? starving(now) : nullptr;
  if (late == nullptr || !opening.takes(*late)) {
    late = overdue(boosted_, true, opening);
    Request* late_other = all ? overdue(others_, false, opening) : nullptr;
    if (late == nullptr || (late_other != nullptr && late_other->arrival < late->arrival))
      late = late_other;
  }
  if (late != nullptr) {
    return {.request = late, .rank = {.tier = kOverdue, .arrival = late->arrival}, .overdue = true};
  }
  Request* request = boosted_.first(opening.most_of(true));
  if (request == nullptr && all) request = others_.first(opening.most_of(false));
  if (request == nullptr) return {};
  return {.request = request, .rank = request->rank()};
}

void Lane::list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const {
  const Request* const next = first({.access = Access::all}, now).request;
  if (next != nullptr && limit > 0) out.push_back(next);
  const std::size_t end = out.size() + limit - (next != nullptr && limit > 0 ? 1 : 0);
  for (const Group* group : {&boosted_, &others_}) {
    for (const auto& [rank, request] : group->ranked) {
      if (out.size() >= end) return;
      if (request != next) out.push_back(request);
    }
  }
}

void Lane::all(std::vector<Request*>& out) const {
  for (const Group* group : {&boosted_, &others_}) {
    for (const auto& [rank, request] : group->ranked) out.push_back(request);
  }
}

void Lane::insert(Request& request) {
  Group& group = group_of(request);
  group.ranked.emplace(Place{request.order_value, request.arrival}, &request);
  if (!ranked_by_arrival(request)) group.by_arrival.emplace(request.arrival, &request);
  if (request.size != kUncounted)
    group.by_size.insert(request.rank(), request.size.value(), &request);
  if (guards_against_starvation())
    starving_.emplace(Limit{request.starves_at, request.arrival}, &request);
}

void Lane::remove(Request& request) {
  Group& group = group_of(request);
  [[maybe_unused]] const std::size_t erased =
      group.ranked.erase({{request.order_value, request.arrival}, &request});
  assert(erased == 1);
  if (!ranked_by_arrival(request)) group.by_arrival.erase({request.arrival, &request});
  if (request.size != kUncounted) group.by_size.erase(request.rank());
  if (guards_against_starvation()) starving_.erase({request.starves_at, request.arrival});
}

bool Lane::ranked_by_arrival(const Request& request) const {
  return !request.boosted || params_.boost.among == BoostedFirst::fifo;
}

bool Lane::guards_against_starvation() const {
  return params_.sessions == SessionOrder::critical_path || params_.sessions == SessionOrder::plas;
}

Request* Lane::starving(TimePoint now) const {
  if (starving_.empty() || since_rescue_ + 1 < params_.starvation.one_in) return nullptr;
  return starving_.begin()->first.at < now ? starving_.begin()->second : nullptr;
}

int Lane::max_overtakes(bool boosted) const {
  if (params_.sessions != SessionOrder::session_boost) return 0;
  return params_.boost.max_overtakes * (boosted ? 1 : params_.boost.unboosted_overtakes_factor);
}

Request* Lane::overdue(const Group& group, bool boosted, const Opening& opening) const {
  const int limit = max_overtakes(boosted);
  Request* earliest = group.earliest();
  const bool late = limit > 0 && earliest != nullptr && overtakes_.of(earliest->arrival) >= limit;
  return late && opening.takes(*earliest) ? earliest : nullptr;
}

const Request* Lane::earliest_bounded() const {
  const Request* earliest = max_overtakes(true) > 0 ? boosted_.earliest() : nullptr;
  const Request* other = max_overtakes(false) > 0 ? others_.earliest() : nullptr;
  if (earliest == nullptr || (other != nullptr && other->arrival < earliest->arrival)) return other;
  return earliest;
}

void Lane::forget_passed() {
  if (const Request* earliest = earliest_bounded()) {
    overtakes_.earliest_is(earliest->arrival);
  } else {
    overtakes_.nobody_waits();
  }
}

}  // namespace turnpike::core
