#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

namespace turnpike::core {

// What scorers know of an endpoint that has room for a request.
struct Candidate {
  std::uint64_t name_hash = 0;
  int leases = 0;
  TokenCount backlog;
  TokenCount uncached;     // of this prompt there, as expected
  TokenCount prompt;       // of this request
  bool bound = false;      // it holds the session's context
  std::uint32_t turn = 0;  // dispatches to go until it is its turn, by round-robin
};

}  // namespace turnpike::core
