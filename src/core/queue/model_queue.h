#pragma once

#include <cstddef>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "core/queue/level_queue.h"
#include "core/queue/wait_line.h"

namespace turnpike::core {

// The first attempts that wait for one model. Those that any endpoint may take stand in one line; those that wait for one endpoint
// (Request::only) in a line of that endpoint, which blocks nobody else. A line of one endpoint is looked at only after something
// has changed for it: look_at() says so. O(log n) and O(endpoints that changed), however many lines there are.
class ModelQueue {
 public:
  using First = LevelQueue::First;

  ModelQueue(const OrderParams& params, TenantAccounts& accounts)
      : params_(params), accounts_(&accounts), anywhere_(params, accounts) {}

  void push(Request& request, TimePoint now);
  void erase(Request& request);
  bool dispatched(Request& request, TimePoint now);
  void boost(Request& request, std::uint64_t recency);
  // The tenant's use has changed.
  void charged(TenantKey tenant);
  // The endpoint may take now what it did not take before.
  void look_at(EndpointId endpoint);

  // The first that can go. `anywhere`: the opening for those that any endpoint may take; `opening_at(id)`: that of one endpoint.
  template <typename OpeningAt>
  [[nodiscard]] First first(const Opening& anywhere, OpeningAt opening_at, TimePoint now) {
    First best = anywhere_.first(anywhere, now);
    for (auto endpoint = changed_.begin(); endpoint != changed_.end();) {
      const First here = first_at(*endpoint, opening_at(*endpoint), now);
      if (here.request == nullptr) {
        endpoint = changed_.erase(endpoint);
        continue;
      }
      if (best.request == nullptr || here.rank < best.rank) best = here;
      ++endpoint;
    }
    return best;
  }
  // Of those that any endpoint may take, or that wait for one endpoint, the first that this opening lets go.
  [[nodiscard]] First first_anywhere(const Opening& opening, TimePoint now) {
    return anywhere_.first(opening, now);
  }
  [[nodiscard]] First first_at(EndpointId endpoint, const Opening& opening, TimePoint now);
  // All that wait for one endpoint, and all endpoints that are waited for.
  [[nodiscard]] std::vector<Request*> waiting_for(EndpointId endpoint) const;
  [[nodiscard]] std::vector<EndpointId> waited_for() const;

  void list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const;

  // All that wait, in the order in which they began to; retries, which are not in a line, included.
  void begins_to_wait(Request& request);
  void waits_no_more(Request& request, WaitLine::End end);
  LinkedList<Request, OfModel> by_wait;

 private:
  LevelQueue& line_of(const Request& request);

  OrderParams params_;
  TenantAccounts* accounts_;
  WaitLine waiting_;
  LevelQueue anywhere_;
  absl::btree_map<EndpointId, LevelQueue> lines_;  // those in which something waits
  absl::btree_set<EndpointId> changed_;
};

}  // namespace turnpike::core
