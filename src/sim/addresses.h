#pragma once

#include <cstdint>

#include "base/ids.h"

namespace turnpike::sim {

// The model that all simulated replicas serve.
inline const ModelId kModel(1);

// A replica as gateways know it; 0 names no endpoint.
inline EndpointId endpoint_of(std::uint32_t replica) {
  return EndpointId(replica + 1);
}
inline std::uint32_t replica_of(EndpointId endpoint) {
  return endpoint.value() - 1;
}

}  // namespace turnpike::sim
