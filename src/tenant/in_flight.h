#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"

namespace turnpike::tenant {

// How many requests of each tenant are on their way, for those whose number is limited. Any thread. Outlives its permits.
class InFlight {
 public:
  // One request's place. Given back once, when it dies.
  class [[nodiscard]] Permit {
   public:
    Permit() = default;
    Permit(Permit&& other) noexcept
        : of_(std::exchange(other.of_, nullptr)), tenant_(other.tenant_) {}
    Permit& operator=(Permit&& other) noexcept {
      std::swap(of_, other.of_);
      std::swap(tenant_, other.tenant_);
      return *this;
    }
    ~Permit() {
      if (of_ != nullptr) of_->give_back(tenant_);
    }

   private:
    friend InFlight;
    Permit(InFlight& of, TenantKey tenant) : of_(&of), tenant_(tenant) {}

    InFlight* of_ = nullptr;
    TenantKey tenant_;
  };

  // Nothing if the tenant has `most` of them.
  std::optional<Permit> take(TenantKey tenant, std::size_t most) {
    const std::scoped_lock lock(mutex_);
    std::size_t& count = counts_[tenant];
    if (count >= most) return std::nullopt;
    ++count;
    return Permit(*this, tenant);
  }
  // Tenants that have any.
  [[nodiscard]] std::size_t tenants() const {
    const std::scoped_lock lock(mutex_);
    return counts_.size();
  }

 private:
  void give_back(TenantKey tenant) {
    const std::scoped_lock lock(mutex_);
    const auto count = counts_.find(tenant);
    if (--count->second == 0) counts_.erase(count);
  }

  mutable std::mutex mutex_;
  absl::flat_hash_map<TenantKey, std::size_t> counts_;
};

}  // namespace turnpike::tenant
