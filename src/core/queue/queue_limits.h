#pragma once

#include <cstddef>

#include "base/units.h"

namespace turnpike::core {

// How much may wait. A request that finds its queue full is rejected, unless it is a turn of a
// running session: that displaces the youngest newcomer.
struct QueueLimits {
  std::size_t max_requests = 10'000;
  ByteCount max_bytes{std::int64_t{1} << 30};
  std::size_t max_tenant_requests = 2'000;
  ByteCount max_tenant_bytes{std::int64_t{256} << 20};
  // Whether the tenant's bounds hold for the tenant of those who named none. Right only where
  // tenants are told apart.
  bool bound_anonymous = false;

  friend bool operator==(const QueueLimits&, const QueueLimits&) = default;
};

}  // namespace turnpike::core
