#pragma once

#include "base/units.h"

namespace turnpike::core {

// Program scheduling, after vllm-router's: see ProgramSet.
struct ProgramParams {
  int max_growth_rounds = 14;  // turns for whose growth room is reserved, at most
  Duration first_hold = std::chrono::seconds(5);  // how long a place is kept until gaps are known
  double seconds_per_token =
      0;  // of prefill, for the cost of losing a context; 0: as learned of the endpoint

  friend bool operator==(const ProgramParams&, const ProgramParams&) = default;
};

}  // namespace turnpike::core
