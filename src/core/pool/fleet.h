#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "core/admission/room.h"
#include "core/pool/endpoint.h"
#include "core/pool/pairs.h"
#include "core/preset/preset.h"

namespace turnpike::core {

// Endpoints of one kind (prefill or not) that serve exactly the same models. What has room is kept as lists, so that a saturated pool
// is recognised without looking at its endpoints.
struct ServingGroup {
  std::vector<ModelId> models;
  std::vector<Endpoint*> members;
  std::vector<Endpoint*> open;  // with room for everybody
  std::vector<Endpoint*> held;  // with room for boosted requests only
  // The open ones in which tokens are counted, by how many there is room for.
  absl::btree_set<std::pair<TokenCount, EndpointId>> by_room;
  std::size_t dispatchable = 0;
};

// The endpoints of a pool: which of them serve what, which are dispatchable, and which have room. Whoever changes an endpoint's
// ledger, gauges, breaker, flags or holds calls refresh() afterwards; then the lists are exact.
class Fleet {
 public:
  explicit Fleet(const PoolParams& params) : params_(&params) {}

  Endpoint& add(const EndpointSpec& spec, TimePoint now);
  // Takes over an endpoint of another fleet.
  Endpoint& adopt(std::unique_ptr<Endpoint> endpoint, TimePoint now);
  std::vector<std::unique_ptr<Endpoint>> release_all();
  // It leaves now; the object stays until its last lease is back (see bury).
  void remove(Endpoint& endpoint, TimePoint now);
  void bury(Endpoint& endpoint);
  void set_models(Endpoint& endpoint, std::vector<ModelId> models, TimePoint now);

  void refresh(Endpoint& endpoint, TimePoint now);
  void refresh_all(TimePoint now);

  [[nodiscard]] Endpoint* find(EndpointId id) const;
  // Live ones and those with leases left, in order of their ids.
  [[nodiscard]] const std::map<EndpointId, std::unique_ptr<Endpoint>>& all() const {
    return endpoints_;
  }

  // What the roomiest of the endpoints that serve a model would take; what one endpoint would.
  [[nodiscard]] Opening opening(ModelId model) const;
  [[nodiscard]] Opening opening_at(EndpointId endpoint) const;
  [[nodiscard]] bool any_room() const { return open_ + held_ > 0; }
  // Whether the endpoint could take a request for which a slot is held there.
  [[nodiscard]] bool has_held_room(const Endpoint& endpoint, TimePoint now) const;
  // Endpoints with room for a first attempt or retry, without those where it has failed.
  void collect(const Request& request, std::vector<Endpoint*>& out) const;
  // Whether any endpoint not in `except` serves the model, dispatchable or not.
  [[nodiscard]] bool serves(ModelId model, std::span<const EndpointId> except) const;
  // All endpoints that serve the model, with room or not.
  template <typename Visit>
  void for_each_serving(ModelId model, Visit visit) const {
    const auto route = routes_.find(model);
    if (route == routes_.end()) return;
    for (const ServingGroup* group : route->second.groups) {
      for (Endpoint* endpoint : group->members) visit(*endpoint);
    }
  }
  // Those, until `visit` says true.
  template <typename Visit>
  void any_serving(ModelId model, Visit visit) const {
    const auto route = routes_.find(model);
    if (route == routes_.end()) return;
    for (const ServingGroup* group : route->second.groups) {
      if (std::ranges::any_of(group->members, [&](Endpoint* e) { return visit(*e); })) return;
    }
  }
  [[nodiscard]] bool dispatchable(ModelId model) const;
  // Since when nothing dispatchable has served the model; meaningful while that is so.
  [[nodiscard]] TimePoint dark_since(ModelId model) const;

  [[nodiscard]] const PoolParams& params() const { return *params_; }
  [[nodiscard]] const Pairs& pairs() const { return pairs_; }
  // Whether the request must not go to the endpoint now, because its prompt would be handed over and nobody has room for it.
  [[nodiscard]] bool lacks_prefill(const Request& request, const Endpoint& endpoint) const;

  // Which endpoints hold which prefixes; they are known there by Endpoint::slot.
  [[nodiscard]] const PrefixHolders& prefix_holders() const { return prefix_holders_; }
  [[nodiscard]] Endpoint& at_slot(std::uint32_t slot) const { return *slots_[slot]; }
  // Endpoints of which anything may have changed since the last call, each once, if somebody wants to know.
  void note_changes(bool wanted);
  void note_change(Endpoint& endpoint);
  [[nodiscard]] std::vector<EndpointId> take_changed();

  [[nodiscard]] std::size_t live() const { return live_; }
  [[nodiscard]] std::size_t dispatchable_count() const { return dispatchable_; }
  // Of those, the ones whose last waiting gauge, however old, was 0 or missing.
  [[nodiscard]] std::size_t calm_count() const { return calm_; }
  [[nodiscard]] bool panic() const { return panic_; }
  // For tests: which of the endpoint's kept facts is not what it would be if it were worked out now; empty if all are.
  [[nodiscard]] std::string inexact(const Endpoint& endpoint, TimePoint now) const;
  // Finds endpoints that are slow though healthy; every few seconds.
  void compare_speeds(TimePoint now);
  // When an endpoint changes by itself: gauges become stale, a breaker half-open, a hold ends.
  [[nodiscard]] std::optional<TimePoint> next_wake() const;
  // The endpoint whose wake is due, if any.
  [[nodiscard]] Endpoint* due(TimePoint now) const;

 private:
  struct Route {
    std::vector<ServingGroup*> groups;
    TimePoint dark_since{};
  };

  [[nodiscard]] Occupancy occupancy(const Endpoint& endpoint, TimePoint now) const;
  [[nodiscard]] bool gauges_fresh(const Endpoint& endpoint, TimePoint now) const;
  [[nodiscard]] Opening evaluate(const Endpoint& endpoint, TimePoint now) const;
  [[nodiscard]] TimePoint next_change(const Endpoint& endpoint, TimePoint now) const;
  void join(Endpoint& endpoint, TimePoint now);
  void leave(Endpoint& endpoint, TimePoint now);
  void set_opening(Endpoint& endpoint, const Opening& opening);
  void set_dispatchable(Endpoint& endpoint, bool dispatchable, TimePoint now);
  void set_wake(Endpoint& endpoint, TimePoint wake);
  void count(Endpoint& endpoint, TimePoint now);
  void refresh_one(Endpoint& endpoint, TimePoint now);
  void refresh_everyone(TimePoint now);
  void reassign(Endpoint& endpoint, const EndpointSpec& spec, TimePoint now);
  [[nodiscard]] bool hands_over() const { return params_->pairs.hand_over != HandOver::none; }
  void forget_dark_models(TimePoint now);

  const PoolParams* params_;
  PrefixHolders prefix_holders_;
  std::map<EndpointId, std::unique_ptr<Endpoint>> endpoints_;
  std::vector<Endpoint*> slots_;  // null where the endpoint has gone
  std::vector<std::uint32_t> free_slots_;
  std::vector<EndpointId> changed_;
  bool notes_changes_ = false;
  absl::flat_hash_map<EndpointId, Endpoint*> by_id_;
  // By whether they are prefill endpoints, which nothing is routed to, and models.
  std::map<std::pair<bool, std::vector<ModelId>>, std::unique_ptr<ServingGroup>> groups_;
  Pairs pairs_;
  absl::flat_hash_map<ModelId, Route> routes_;
  absl::btree_set<std::pair<TimePoint, EndpointId>> wakes_;
  std::uint32_t added_ = 0;
  std::size_t live_ = 0;  // not leaving
  std::size_t well_ = 0;  // of those
  std::size_t dispatchable_ = 0;
  std::size_t calm_ = 0;
  std::size_t open_ = 0;
  std::size_t held_ = 0;
  bool panic_ = false;
  TimePoint next_comparison_{};
};

}  // namespace turnpike::core
