#pragma once

#include "base/units.h"

namespace turnpike::core {

// How long a request may wait.
struct WaitParams {
  Duration queue_timeout = std::chrono::seconds(30);    // kForever: no limit
  Duration no_endpoint_wait = std::chrono::seconds(5);  // while no endpoint is dispatchable

  friend bool operator==(const WaitParams&, const WaitParams&) = default;
};

}  // namespace turnpike::core
