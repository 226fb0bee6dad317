#pragma once

#include <compare>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// When a request came, for ordering: unique in a pool.
struct Arrival {
  TimePoint at{};
  std::uint64_t number = 0;  // of the submission; breaks ties

  friend auto operator<=>(const Arrival&, const Arrival&) = default;
};

// Where a request stands in its lane: least goes first. What `tier` and `value` mean is the order's affair.
struct Rank {
  std::int32_t tier = 0;
  std::int64_t value = 0;
  Arrival arrival;

  friend auto operator<=>(const Rank&, const Rank&) = default;
};

}  // namespace turnpike::core
