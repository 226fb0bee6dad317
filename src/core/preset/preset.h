#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/admission/admission_params.h"
#include "core/health/breaker_params.h"
#include "core/placement/placement_params.h"
#include "core/pool/pair_params.h"
#include "core/pool/retry_params.h"
#include "core/pool/wait_params.h"
#include "core/prefix/prefix_params.h"
#include "core/program/program_params.h"
#include "core/queue/order_params.h"
#include "core/queue/queue_limits.h"
#include "core/resident/resident_params.h"
#include "core/session/session_params.h"

namespace turnpike::core {

// Everything that makes one pool behave differently from another. Plain data: the configuration
// fills it, the pool reads it.
struct PoolParams {
  std::string policy = "session-boost";  // the preset's name, for users
  OrderParams order;
  AdmissionParams admission;
  GraceParams grace;
  PlacementParams placement;
  QueueLimits limits;
  WaitParams waits;
  RetryParams retry;
  BreakerParams breaker;
  SessionTableParams sessions;
  ResidentParams resident;
  PrefixParams prefix;
  ProgramParams program;
  PairParams pairs;

  friend bool operator==(const PoolParams&, const PoolParams&) = default;
};

// The parameters of a preset, or nothing for an unknown name.
std::optional<PoolParams> preset(std::string_view name);
// All names that preset() knows, the default first.
std::span<const std::string_view> preset_names();

}  // namespace turnpike::core
