#pragma once

#include <cstddef>

#include "base/units.h"

namespace turnpike::core {

// How many sessions a pool remembers. Beyond this the one that has been idle longest is forgotten.
struct SessionTableParams {
  std::size_t max_sessions = 1'000'000;
  Duration ttl{0};  // idle longer than this: forgotten; 0: kept until the table is full

  friend bool operator==(const SessionTableParams&, const SessionTableParams&) = default;
};

}  // namespace turnpike::core
