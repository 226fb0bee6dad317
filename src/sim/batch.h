#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sim/result.h"
#include "sim/simulation.h"

namespace turnpike::sim {

// How far a batch is. Written by its threads, read by whoever shows it.
struct BatchProgress {
  std::atomic<std::size_t> done = 0;           // runs
  std::atomic<std::uint64_t> events = 0;       // of all runs
  std::atomic<std::int64_t> simulated_ns = 0;  // of all runs
};

// Runs all simulations, so many at a time, each on one thread. The results are in the order of `runs` and depend on nothing but
// these. `watch` is called on the calling thread now and then, and once when
// all are done. Blocks.
std::vector<RunResult> run_all(std::span<const SimulationParams> runs, unsigned threads,
                               const std::function<void(const BatchProgress&)>& watch = {});

}  // namespace turnpike::sim
