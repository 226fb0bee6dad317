#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/queue/order_params.h"

namespace turnpike::core {

// What each tenant of a pool has used, for the orders among tenants: a sum over a sliding window (fair_share, in ten steps), and a
// counter that never falls (vtc). Charged at dispatch with what is expected, corrected when the request ends. Tenants without
// use and without waiting requests are forgotten.
class TenantAccounts {
 public:
  // The tenant's first request begins to wait: under vtc he is lifted to the least served of those who wait, so that being away
  // earns no credit.
  void begins_to_wait(TenantKey tenant, double weight);
  void waits_no_more(TenantKey tenant);
  // `amount` in weighted tokens; negative to correct.
  void charge(TenantKey tenant, double amount, TimePoint now);

  // Forgets what has left the window. Returns a number that changes whenever usages have changed other than by charge().
  std::uint64_t roll(const FairnessParams& params, TimePoint now);

  // Least is served first: what was used over the tenant's weight.
  [[nodiscard]] double usage(TenantOrder order, TenantKey tenant) const;
  [[nodiscard]] std::size_t size() const { return accounts_.size(); }

 private:
  static constexpr std::size_t kSteps = 10;
  struct Account {
    std::array<double, kSteps> steps{};
    double in_window = 0.0;
    double counter = 0.0;
    double weight = 1.0;
    bool waits = false;
  };

  absl::btree_map<TenantKey, Account> accounts_;
  absl::btree_set<std::pair<double, TenantKey>> waiting_;  // by counter
  std::int64_t step_ = 0;
  std::uint64_t rolled_ = 0;
};

}  // namespace turnpike::core
