#include "sim/batch.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace turnpike::sim {
namespace {

constexpr std::uint64_t kEventsAtATime = 20'000;
constexpr auto kWatchInterval = std::chrono::milliseconds(200);

RunResult run_one(const SimulationParams& params, BatchProgress& progress) {
  Simulation simulation(params);
  std::uint64_t events = 0;
  Duration now{};
  bool more = true;
  while (more) {
    more = simulation.advance(kEventsAtATime);
    progress.events += simulation.events() - events;
    progress.simulated_ns += (simulation.now() - now).count();
    events = simulation.events();
    now = simulation.now();
  }
  return simulation.run();
}

}  // namespace

std::vector<RunResult> run_all(std::span<const SimulationParams> runs, unsigned threads,
                               const std::function<void(const BatchProgress&)>& watch) {
  std::vector<RunResult> results(runs.size());
  BatchProgress progress;
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::condition_variable all_done;
  const auto work = [&] {
    for (std::size_t i = next++; i < runs.size(); i = next++) {
      results[i] = run_one(runs[i], progress);
      const std::lock_guard lock(mutex);
      if (++progress.done == runs.size()) all_done.notify_one();
    }
  };
  std::vector<std::jthread> workers;
  const std::size_t count =
      std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(1, runs.size()));
  workers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) workers.emplace_back(work);
  std::unique_lock lock(mutex);
  while (!all_done.wait_for(lock, kWatchInterval, [&] { return progress.done == runs.size(); })) {
    if (watch) watch(progress);
  }
  if (watch) watch(progress);
  return results;  // the threads have nothing left to do, and are joined
}

}  // namespace turnpike::sim
