#include "metrics/registry.h"

#include <benchmark/benchmark.h>

namespace turnpike::metrics {
namespace {

void BM_CounterAdd(benchmark::State& state) {
  static Registry registry(8);
  static Counters& counters = registry.counters("x_total", "x");
  Counter& cell = counters.at(static_cast<std::size_t>(state.thread_index()));
  for (auto _ : state) {
    cell.add();
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_CounterAdd)->ThreadRange(1, 2);

void BM_HistogramObserve(benchmark::State& state) {
  static Registry registry(8);
  static Histograms& histograms = registry.histograms("x", "x", log_buckets(0.001, 300, 3));
  Histogram& cell = histograms.at(static_cast<std::size_t>(state.thread_index()));
  double value = 0.0005;
  for (auto _ : state) {
    cell.observe(value);
    value = value > 100 ? 0.0005 : value * 1.7;
  }
}
BENCHMARK(BM_HistogramObserve)->ThreadRange(1, 2);

void BM_LookUp(benchmark::State& state) {
  Registry registry(1);
  Counters& counters = registry.counters("x_total", "x", {"model", "code"});
  for (auto _ : state) benchmark::DoNotOptimize(&counters.at(0, {"some-model", "200"}));
}
BENCHMARK(BM_LookUp);

}  // namespace
}  // namespace turnpike::metrics
