#include <benchmark/benchmark.h>

#include "engine/engine.h"
#include "engine/engine_test_support.h"

namespace turnpike::engine {
namespace {

using testing_support::sequence;

// Steps of `sequences` decoding sequences that are replaced as they end; items are sequence-steps (tokens).
void decode(benchmark::State& state) {
  const auto sequences = static_cast<std::uint64_t>(state.range(0));
  EngineParams params{.profile = *find_profile("llama-8b-h100"), .kv_tokens = TokenCount(300'000)};
  Engine engine(params);
  std::uint64_t next = 0;
  const auto arrive = [&] {
    const bool added =
        engine.add(sequence(next, 2000, 200 + static_cast<std::int64_t>(next % 64), next));
    benchmark::DoNotOptimize(added);
    ++next;
  };
  while (next < sequences) arrive();
  std::int64_t tokens = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine.begin_step());
    std::uint64_t ended = 0;
    for (const TokenEvent& event : engine.finish_step()) {
      ++tokens;
      ended += event.finished ? 1 : 0;
    }
    while (ended-- > 0) arrive();
  }
  state.SetItemsProcessed(tokens);
}
BENCHMARK(decode)->Arg(1)->Arg(16)->Arg(48)->Arg(128);

// The same under pressure: a long line before a full cache, the head blocked in most steps.
void overload(benchmark::State& state) {
  Engine engine({.profile = *find_profile("kthena-table")});
  std::uint64_t next = 0;
  const auto arrive = [&] {
    const bool added = engine.add(sequence(next, 12'000, 150, next % 400));
    benchmark::DoNotOptimize(added);
    ++next;
  };
  while (next < 64) arrive();
  for (auto _ : state) {
    benchmark::DoNotOptimize(engine.begin_step());
    std::uint64_t ended = 0;
    for (const TokenEvent& event : engine.finish_step()) ended += event.finished ? 1 : 0;
    while (ended-- > 0) arrive();
  }
}
BENCHMARK(overload);

}  // namespace
}  // namespace turnpike::engine
