#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "core/queue/lane.h"
#include "core/queue/tenant_accounts.h"

namespace turnpike::core {

// Where a request stands among all that wait in a pool: its priority class, its tenant's use, its place among the sessions.
struct QueueRank {
  std::int32_t demotion = 0;  // minus the priority class
  double usage = 0.0;         // of the tenant
  TenantKey tenant;
  Rank rank;

  friend auto operator<=>(const QueueRank&, const QueueRank&) = default;
};

// Waiting requests that can go to the same endpoints, in levels: priority classes, in them tenants, in them a lane of sessions. A
// level that is switched off has one element. O(log n); a tenant's place moves when he is charged, which charged() is told.
class LevelQueue {
 public:
  LevelQueue(const OrderParams& params, TenantAccounts& accounts)
      : params_(params), accounts_(&accounts) {}

  void push(Request& request, TimePoint now);
  void erase(Request& request);
  bool dispatched(Request& request, TimePoint now);
  void boost(Request& request, std::uint64_t recency) { lane_of(request).boost(request, recency); }
  // The tenant's use has changed.
  void charged(TenantKey tenant);

  struct First {
    Request* request = nullptr;
    QueueRank rank;
    bool overdue = false;
  };
  [[nodiscard]] First first(const Opening& opening, TimePoint now);

  void list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const;
  [[nodiscard]] bool empty() const { return lanes_.empty(); }
  // All of them, by no particular rule but always the same.
  [[nodiscard]] std::vector<Request*> all() const;

 private:
  struct Key {
    std::int32_t demotion = 0;
    TenantKey tenant;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Place {
    std::int32_t demotion = 0;
    double usage = 0.0;
    TenantKey tenant;
    friend auto operator<=>(const Place&, const Place&) = default;
  };

  [[nodiscard]] Key key_of(const Request& request) const;
  Lane& lane_of(const Request& request) const { return *lanes_.find(key_of(request))->second.lane; }
  void place(const Key& key);
  void leave_if_empty(const Key& key);
  void sort_again(TimePoint now);

  struct Entry {
    std::unique_ptr<Lane> lane;
    double usage = 0.0;  // as sorted
  };

  OrderParams params_;
  TenantAccounts* accounts_;
  absl::btree_map<Key, Entry> lanes_;
  absl::btree_set<Place> order_;
  std::uint64_t rolled_ = 0;
};

}  // namespace turnpike::core
