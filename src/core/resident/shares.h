#pragma once

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"

namespace turnpike::core {

// What each tenant holds of a pool's caches, and who of them waits: whoever holds more than his weight's share while another
// waits gets no more. Tenants that hold nothing and wait for nothing are forgotten.
class Shares {
 public:
  // Tokens of running requests and of places kept; negative to give back.
  void hold(TenantKey tenant, double tokens) {
    Part& part = parts_[tenant];
    part.held += tokens;
    forget_if_empty(tenant, part);
  }
  void begins_to_wait(TenantKey tenant, double weight) {
    Part& part = parts_[tenant];
    weights_ += weight - part.weight;
    part.weight = weight;
    waiting_ += part.waiting++ == 0 ? 1 : 0;
  }
  void waits_no_more(TenantKey tenant) {
    Part& part = parts_[tenant];
    waiting_ -= --part.waiting == 0 ? 1 : 0;
    forget_if_empty(tenant, part);
  }

  // `capacity`: tokens of all caches together.
  [[nodiscard]] bool exceeds(TenantKey tenant, double capacity) const {
    if (parts_.size() < 2) return false;
    const auto found = parts_.find(tenant);
    if (found == parts_.end()) return false;
    const bool others_wait = waiting_ > (found->second.waiting > 0 ? 1 : 0);
    return others_wait && found->second.held * weights_ > found->second.weight * capacity;
  }
  [[nodiscard]] bool matter() const { return parts_.size() > 1 && waiting_ > 0; }
  [[nodiscard]] int waiting() const { return waiting_; }  // tenants

 private:
  struct Part {
    double held = 0;
    double weight = 0;  // 0: has not waited yet
    int waiting = 0;    // requests
  };

  void forget_if_empty(TenantKey tenant, const Part& part) {
    // Tokens are sums of fractions: less than half of one is none.
    if (part.waiting > 0 || part.held > 0.5) return;
    weights_ -= part.weight;
    parts_.erase(tenant);
    if (parts_.empty()) weights_ = 0;
  }

  absl::flat_hash_map<TenantKey, Part> parts_;
  double weights_ = 0;
  int waiting_ = 0;
};

}  // namespace turnpike::core
