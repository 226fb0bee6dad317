#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/pool/pool.h"

// Sessions that wait for their own endpoints, in a pool whose endpoints are all full: what a step costs must depend neither on the
// length of the queue nor on the number of endpoints.
namespace turnpike::core {
namespace {

void saturated_homes(benchmark::State& state) {
  PoolParams params = *preset("half");
  params.limits.max_requests = 1'000'000;
  params.limits.max_bytes = ByteCount(std::int64_t{1} << 40);
  params.waits.queue_timeout = kForever;
  params.admission.assumed_capacity = TokenCount(64'000);
  const auto queued = static_cast<std::uint64_t>(state.range(0));
  const auto endpoints = static_cast<std::uint32_t>(state.range(1));

  Pool pool(params);
  TimePoint now{};
  for (std::uint32_t e = 0; e < endpoints; ++e) {
    pool.add_endpoint({.id = EndpointId(e), .name = std::to_string(e), .models = {ModelId(1)}},
                      now);
  }
  Random random(1);
  std::vector<RequestId> running;
  std::uint64_t id = 0;
  const auto submit = [&] {
    ++id;
    pool.submit({.id = RequestId(id),
                 .model = ModelId(1),
                 .session = SessionKey(random.below(100'000)),
                 .prompt_tokens = TokenCount(1000 + static_cast<std::int64_t>(random.below(2000))),
                 .body_bytes = ByteCount(8000),
                 .streaming = true},
                now);
    for (const Decision& decision : pool.take_decisions()) {
      if (const auto* d = std::get_if<Dispatch>(&decision)) running.push_back(d->request);
    }
  };
  while (pool.view(now).queued < queued) {
    for (int i = 0; i < 1000; ++i) submit();
  }
  for (auto _ : state) {
    now += std::chrono::microseconds(100);
    const std::size_t chosen = random.below(running.size());
    const RequestId ended = running[chosen];
    running[chosen] = running.back();
    running.pop_back();
    pool.settle(ended, {}, now);
    submit();
    benchmark::DoNotOptimize(pool.next_deadline());
  }
  state.counters["queued"] = static_cast<double>(pool.view(now).queued);
}
BENCHMARK(saturated_homes)
    ->ArgNames({"queued", "endpoints"})
    ->Args({1'000, 10})
    ->Args({10'000, 10})
    ->Args({10'000, 100})
    ->Args({10'000, 1'000});

}  // namespace
}  // namespace turnpike::core
