#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "core/pool/pool.h"

namespace turnpike::core {

// A pool that a benchmark keeps full, with what runs in it. Its endpoints serve model 1.
class FullPool {
 public:
  FullPool(const PoolParams& params, std::uint32_t endpoints, TokenCount capacity = TokenCount(0))
      : pool(params) {
    for (std::uint32_t e = 0; e < endpoints; ++e) {
      pool.add_endpoint({.id = EndpointId(e),
                         .name = std::to_string(e),
                         .models = {ModelId(1)},
                         .capacity = capacity},
                        now);
    }
  }

  void submit(const Submission& submission) {
    pool.submit(submission, now);
    look();
  }
  void settle(RequestId request, const Settlement& settlement) {
    pool.settle(request, settlement, now);
    look();
  }
  // Any one of those that run.
  void settle_one(const Settlement& settlement = {}) {
    const std::size_t chosen = random.below(running.size());
    const RequestId ended = running[chosen];
    running[chosen] = running.back();
    running.pop_back();
    settle(ended, settlement);
  }
  void settle_all(const Settlement& settlement) {
    while (!running.empty()) {
      const RequestId ended = running.back();
      running.pop_back();
      settle(ended, settlement);
    }
  }

  Pool pool;
  TimePoint now{std::chrono::hours(1)};
  Random random{1};
  std::vector<RequestId> running;

 private:
  void look() {
    for (const Decision& decision : pool.take_decisions()) {
      if (const auto* d = std::get_if<Dispatch>(&decision)) running.push_back(d->request);
    }
  }
};

// Nobody is turned away.
inline PoolParams without_bounds(PoolParams params) {
  params.limits.max_requests = params.limits.max_tenant_requests = 1'000'000;
  params.limits.max_bytes = params.limits.max_tenant_bytes = ByteCount(std::int64_t{1} << 40);
  params.waits.queue_timeout = kForever;
  params.resident.max_wait = kForever;
  return params;
}

}  // namespace turnpike::core
