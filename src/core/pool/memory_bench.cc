#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include <malloc.h>

#include "base/random.h"
#include "core/pool/pool.h"
#include "core/session/session_table.h"

// How much memory the pool's two large populations take, by what the heap has handed out.
namespace turnpike::core {
namespace {

double heap_bytes() {
  const auto info = ::mallinfo2();
  return static_cast<double>(info.uordblks + info.hblkhd);
}

// Idle sessions, each with its entry in the index.
void session(benchmark::State& state) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    const double before = heap_bytes();
    SessionTable table({.max_sessions = count});
    Random random(1);
    for (std::uint64_t i = 0; i < count; ++i) {
      Session& made = table.wake(SessionKey(random.next()), TenantKey(1), TimePoint{});
      table.rest(made, TimePoint{});
    }
    state.counters["bytes_each"] = (heap_bytes() - before) / static_cast<double>(count);
  }
}
BENCHMARK(session)->Arg(10'000)->Arg(1'000'000)->Iterations(1)->Unit(benchmark::kMillisecond);

// Requests that wait because everything is full: without blocks and each of a session it shares with nine others, so that it is
// requests that are measured.
void queued_request(benchmark::State& state, const char* policy) {
  const auto count = static_cast<std::uint64_t>(state.range(0));
  for (auto _ : state) {
    PoolParams params = *preset(policy);
    params.limits = {.max_requests = count + 1,
                     .max_bytes = ByteCount(std::int64_t{1} << 40),
                     .max_tenant_requests = count + 1,
                     .max_tenant_bytes = ByteCount(std::int64_t{1} << 40)};
    params.waits.queue_timeout = kForever;
    params.resident.max_wait = kForever;
    params.admission.limit = 1;
    Pool pool(params);
    TimePoint now{};
    pool.add_endpoint({.id = EndpointId(1),
                       .name = "e",
                       .models = {ModelId(1)},
                       .slots = 1,
                       .capacity = TokenCount(10'000)},
                      now);
    const auto submit = [&](std::uint64_t id) {
      now += std::chrono::microseconds(1);
      pool.submit({.id = RequestId(id),
                   .model = ModelId(1),
                   .session = SessionKey(id % count / 10),
                   .tenant = TenantKey(id % 50),
                   .prompt_tokens = TokenCount(2'000),
                   .body_bytes = ByteCount(8'000),
                   .prompt_hash = id,
                   .streaming = true},
                  now);
    };
    submit(count + 10);
    // The sessions are there already.
    for (std::uint64_t i = 0; i < count; i += 10) {
      submit(i);
      pool.cancel(RequestId(i), now);
    }
    benchmark::DoNotOptimize(pool.take_decisions());
    const double before = heap_bytes();
    for (std::uint64_t i = 0; i < count; ++i) submit(i + 2 * count);
    const double after = heap_bytes();
    if (pool.view(now).queued < count) state.SkipWithError("some do not wait");
    state.counters["bytes_each"] = (after - before) / static_cast<double>(count);
  }
}
BENCHMARK_CAPTURE(queued_request, session_boost, "session-boost")
    ->Arg(10'000)
    ->Arg(100'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(queued_request, resident_set, "resident-set")
    ->Arg(10'000)
    ->Arg(100'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(queued_request, critical_path, "critical-path")
    ->Arg(100'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace turnpike::core
