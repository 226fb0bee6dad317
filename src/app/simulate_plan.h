#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/trace_workload.h"
#include "app/workload_options.h"
#include "base/error.h"
#include "sim/simulation.h"

namespace turnpike::app {

// What `turnpike simulate` was asked for.
struct SimulateOptions : WorkloadOptions {
  std::vector<std::string> workloads;  // none: kthena-c40, or agents-closed for a sweep
  std::vector<std::string> policies = {"session-boost"};
  std::optional<std::int64_t> kv_tokens;
  std::optional<std::uint32_t> max_num_seqs;
  double lag_s = 0.1;
  double delay_ms = 0.5;
  double estimate_error = 0.15;
  int slots = 0;
  std::uint32_t seeds = 1;
  unsigned threads = 0;
  TraceOptions recording;
  std::string trace_dir;
  std::vector<std::string> sweeps;
  std::string html;
  std::string compare;
};

// One condition of a workload, changed step by step.
struct Sweep {
  std::string_view name;
  std::string_view about;
  std::vector<double> values;
  void (*apply)(sim::SimulationParams&, double);
};
const std::vector<Sweep>& sweeps();

// Runs that differ in nothing but their seed.
struct PlannedRow {
  sim::SimulationParams params;  // with the first seed
  std::optional<sim::SweepPoint> sweep;
};

struct SimulatePlan {
  std::vector<PlannedRow> rows;      // in the order in which they are shown
  std::vector<std::string> remarks;  // what was left out, and why
};

// Reads traces. Errors are the user's.
Expected<SimulatePlan> plan_of(const SimulateOptions& options);

}  // namespace turnpike::app
