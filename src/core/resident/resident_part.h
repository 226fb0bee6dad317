#pragma once

#include <cstdint>

#include "base/units.h"
#include "core/queue/rank.h"

namespace turnpike::core {

struct Endpoint;

// Where a request waits under the policy `resident-set`.
enum class ResidentLine : std::uint8_t { none, resident, bound, free };

// What the policy `resident-set` keeps of a request.
struct ResidentPart {
  ResidentLine line = ResidentLine::none;
  bool by_real_deadline = false;
  bool fresh = false;    // came into the free line since it was last found that nobody can go
  bool counted = false;  // in the account of the endpoint it runs on
  Endpoint* endpoint = nullptr;  // whose line it is
  Rank rank;                     // by virtual deadline
  std::int64_t need = 0;         // least tokens it takes anywhere
  TimePoint deadline{};

  double taken = 0;        // own tokens there, with reserve
  double taken_whole = 0;  // all its tokens, with reserve
  double above = -1;       // see CacheEvidence; negative: nothing can be learned
  double put = 0;
};

}  // namespace turnpike::core
