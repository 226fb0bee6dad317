#pragma once

#include <cstddef>
#include <optional>

#include "base/units.h"
#include "core/pool/events.h"
#include "core/pool/kept_submission.h"
#include "core/queue/queue_limits.h"

namespace turnpike::core {

// Requests that wait, and the bytes the driver holds for them.
struct QueueLoad {
  std::size_t requests = 0;
  ByteCount bytes;
  TokenCount tokens;

  void add(const KeptSubmission& s) {
    ++requests;
    bytes += s.body_bytes;
    tokens += s.prompt_tokens;
  }
  void subtract(const KeptSubmission& s) {
    --requests;
    bytes -= s.body_bytes;
    tokens -= s.prompt_tokens;
  }
};

constexpr bool fits(const QueueLoad& load, ByteCount more, std::size_t max_requests,
                    ByteCount max_bytes) {
  return load.requests < max_requests && load.bytes + more <= max_bytes;
}

// Why one more request may not wait, if it may not. The tenant's own bound is looked at first: it is his affair, and making room
// in the pool would not help him.
constexpr std::optional<RejectReason> refusal(const QueueLimits& limits, const QueueLoad& pool,
                                              const QueueLoad& tenant,
                                              const Submission& submission) {
  const bool bounded = limits.bound_anonymous || !submission.tenant_is_anonymous;
  if (bounded &&
      !fits(tenant, submission.body_bytes, limits.max_tenant_requests, limits.max_tenant_bytes)) {
    return RejectReason::tenant_queue_full;
  }
  if (!fits(pool, submission.body_bytes, limits.max_requests, limits.max_bytes))
    return RejectReason::queue_full;
  return std::nullopt;
}

}  // namespace turnpike::core
