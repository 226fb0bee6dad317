#include <benchmark/benchmark.h>

#include <string_view>

#include "core/preset/preset.h"
#include "sim/simulation.h"
#include "sim/workload.h"

namespace turnpike::sim {
namespace {

// A whole run; the counter says how many events (steps of engines, events of the policy and of clients) a second of CPU time.
void simulate(benchmark::State& state, std::string_view workload, std::string_view policy,
              double seconds) {
  SimulationParams params;
  params.workload = *find_workload(workload);
  if (seconds > 0) params.workload.duration = from_seconds(seconds);
  params.policy = *core::preset(policy);
  std::uint64_t events = 0;
  for (auto _ : state) {
    Simulation simulation(params);
    benchmark::DoNotOptimize(simulation.run());
    events += simulation.events();
  }
  state.counters["events"] =
      benchmark::Counter(static_cast<double>(events), benchmark::Counter::kIsRate);
}
BENCHMARK_CAPTURE(simulate, mixed_session_boost, "mixed", "session-boost", 3600)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, mixed_resident_set, "mixed", "resident-set", 3600)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, agents_closed_resident_set, "agents-closed", "resident-set", 0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, kthena_c40_resident_set, "kthena-c40", "resident-set", 0)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(simulate, single_turn_least_request, "single-turn", "least-request", 0)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace turnpike::sim
