#include "core/queue/tenant_accounts.h"

#include <algorithm>

namespace turnpike::core {

void TenantAccounts::begins_to_wait(TenantKey tenant, double weight) {
  Account& account = accounts_[tenant];
  account.weight = weight > 0 ? weight : 1.0;
  if (!waiting_.empty()) account.counter = std::max(account.counter, waiting_.begin()->first);
  account.waits = true;
  waiting_.emplace(account.counter, tenant);
}

void TenantAccounts::waits_no_more(TenantKey tenant) {
  const auto found = accounts_.find(tenant);
  if (found == accounts_.end()) return;
  found->second.waits = false;
  waiting_.erase({found->second.counter, tenant});
}

void TenantAccounts::charge(TenantKey tenant, double amount, TimePoint) {
  Account& account = accounts_[tenant];
  account.steps[static_cast<std::size_t>(step_) % kSteps] += amount;
  account.in_window += amount;
  if (account.waits) waiting_.erase({account.counter, tenant});
  account.counter = std::max(0.0, account.counter + amount / account.weight);
  if (account.waits) waiting_.emplace(account.counter, tenant);
}

std::uint64_t TenantAccounts::roll(const FairnessParams& params, TimePoint now) {
  const Duration step_length =
      std::max<Duration>(params.window / static_cast<std::int64_t>(kSteps), Duration(1));
  const std::int64_t step = now.time_since_epoch() / step_length;
  if (step <= step_) return rolled_;
  const std::int64_t passed = std::min(step - step_, static_cast<std::int64_t>(kSteps));
  for (auto& [tenant, account] : accounts_) {
    for (std::int64_t i = 1; i <= passed; ++i)
      account.steps[static_cast<std::size_t>(step - passed + i) % kSteps] = 0;
    account.in_window = 0;
    for (const double used : account.steps) account.in_window += used;
  }
  step_ = step;
  absl::erase_if(accounts_, [](const auto& entry) {
    return !entry.second.waits && entry.second.in_window == 0;
  });
  return ++rolled_;
}

double TenantAccounts::usage(TenantOrder order, TenantKey tenant) const {
  const auto found = accounts_.find(tenant);
  if (order == TenantOrder::none || found == accounts_.end()) return 0.0;
  const Account& account = found->second;
  return order == TenantOrder::vtc ? account.counter
                                   : std::max(0.0, account.in_window) / account.weight;
}

}  // namespace turnpike::core
