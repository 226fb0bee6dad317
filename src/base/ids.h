#pragma once

#include <cstdint>

#include "base/strong.h"

namespace turnpike {

// One replica of a model server, for the life of the process (never reused).
using EndpointId = StrongId<struct EndpointIdTag, std::uint32_t>;
// One request, for the life of the process.
using RequestId = StrongId<struct RequestIdTag, std::uint64_t>;
// A model name that clients use, interned by the driver.
using ModelId = StrongId<struct ModelIdTag, std::uint32_t>;
// Keyed hash of (tenant, model, session id). The id itself is never stored.
using SessionKey = StrongId<struct SessionKeyTag, std::uint64_t>;
// Keyed hash of who pays; `anonymous` is a key like any other.
using TenantKey = StrongId<struct TenantKeyTag, std::uint64_t>;

}  // namespace turnpike
