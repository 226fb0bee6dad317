#pragma once

#include "base/units.h"

namespace turnpike::core {

// When failures of requests take an endpoint out, and how it comes back.
struct BreakerParams {
  int failures = 3;  // consecutive ones that open it; 0: never
  Duration open_time =
      std::chrono::seconds(1);  // until the first probe; doubled by every failed probe
  Duration max_open_time = std::chrono::seconds(60);
  // With a smaller share than this healthy, ejection by failed requests is ignored (never that of
  // endpoints which refuse connections or fail their health check).
  double panic_threshold = 0.5;

  friend bool operator==(const BreakerParams&, const BreakerParams&) = default;
};

}  // namespace turnpike::core
