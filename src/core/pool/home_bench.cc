#include <benchmark/benchmark.h>

#include <cstdint>

#include "core/pool/pool_bench_support.h"

// Sessions that wait for their own endpoints, in a pool whose endpoints are all full: what a step costs must depend neither on the
// length of the queue nor on the number of endpoints.
namespace turnpike::core {
namespace {

void saturated_homes(benchmark::State& state) {
  PoolParams params = without_bounds(*preset("half"));
  params.admission.assumed_capacity = TokenCount(64'000);
  const auto queued = static_cast<std::uint64_t>(state.range(0));
  FullPool full(params, static_cast<std::uint32_t>(state.range(1)));
  std::uint64_t id = 0;
  const auto submit = [&] {
    full.submit(
        {.id = RequestId(++id),
         .model = ModelId(1),
         .session = SessionKey(full.random.below(100'000)),
         .prompt_tokens = TokenCount(1000 + static_cast<std::int64_t>(full.random.below(2000))),
         .body_bytes = ByteCount(8000),
         .streaming = true});
  };
  while (full.pool.view(full.now).queued < queued) {
    for (int i = 0; i < 1000; ++i) submit();
  }
  for (auto _ : state) {
    full.now += std::chrono::microseconds(100);
    full.settle_one();
    submit();
    benchmark::DoNotOptimize(full.pool.next_deadline());
  }
  state.counters["queued"] = static_cast<double>(full.pool.view(full.now).queued);
}
BENCHMARK(saturated_homes)
    ->ArgNames({"queued", "endpoints"})
    ->Args({1'000, 10})
    ->Args({10'000, 10})
    ->Args({10'000, 100})
    ->Args({10'000, 1'000});

}  // namespace
}  // namespace turnpike::core
