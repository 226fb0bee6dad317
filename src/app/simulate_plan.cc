#include "app/simulate_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <system_error>

#include <fmt/format.h>

#include "core/preset/preset.h"
#include "engine/profile.h"

namespace turnpike::app {
namespace {

std::vector<std::string> chosen(const std::vector<std::string>& asked,
                                const std::vector<std::string>& all) {
  return std::ranges::find(asked, "all") == asked.end() ? asked : all;
}

std::vector<std::string> all_policies() {
  const auto names = core::preset_names();
  return {names.begin(), names.end()};
}

// The first file of the directory, by name, that begins so.
std::optional<std::string> file_beginning(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  if (found.empty()) return std::nullopt;
  return std::ranges::min(found);
}

sim::Workload adapted(const SimulateOptions& options, const sim::Workload& base) {
  sim::Workload workload = options.changed(base);
  if (!options.profile.empty()) workload.profile = engine::find_profile(options.profile)->name;
  if (options.kv_tokens) workload.kv_tokens = *options.kv_tokens;
  if (options.max_num_seqs) workload.max_num_seqs = *options.max_num_seqs;
  return workload;
}

Expected<std::vector<sim::Workload>> chosen_workloads(const SimulateOptions& options,
                                                      std::vector<std::string>& remarks) {
  std::vector<sim::Workload> result;
  if (!options.recording.trace.empty()) {
    auto workload = trace_workload(options.recording, remarks);
    if (!workload) return std::unexpected(workload.error());
    result.push_back(*std::move(workload));
    return result;
  }
  std::vector<std::string> names = chosen(options.workloads, workload_names());
  if (names.empty()) names = {options.sweeps.empty() ? "kthena-c40" : "agents-closed"};
  for (const std::string& name : names) {
    const sim::Workload& workload = *sim::find_workload(name);
    if (workload.trace_prefix.empty()) {
      result.push_back(workload);
      continue;
    }
    const auto file = file_beginning(options.trace_dir, workload.trace_prefix);
    if (!file) {
      remarks.push_back(options.trace_dir.empty()
                            ? fmt::format("{} is left out: it needs --trace-dir", name)
                            : fmt::format("{} is left out: no file in {} begins with \"{}\"", name,
                                          options.trace_dir, workload.trace_prefix));
      continue;
    }
    auto traced = with_trace(workload, {.trace = *file}, remarks);
    if (!traced) return std::unexpected(traced.error());
    result.push_back(*std::move(traced));
  }
  return result;
}

}  // namespace

const std::vector<Sweep>& sweeps() {
  using P = sim::SimulationParams;
  static const std::vector<Sweep> all{
      {"lag",
       "seconds that gauges are old when they are scraped",
       {0.1, 0.5, 1, 2, 5},
       [](P& p, double v) { p.lag = from_seconds(v); }},
      {"ids",
       "share of the sessions whose requests carry an id",
       {0, 0.25, 0.5, 0.75, 1},
       [](P& p, double v) { p.workload.identified = v; }},
      {"capacity",
       "what engines say of their KV capacity, over the truth; 0: nothing",
       {0, 0.5, 0.75, 1, 1.5, 2},
       [](P& p, double v) { p.workload.conditions.told_capacity = v; }},
      {"foreign",
       "requests a second that no gateway sees",
       {0, 1, 2, 4},
       [](P& p, double v) {
         p.workload.conditions.foreign_rate = v;
         p.workload.conditions.foreign = sim::find_workload("shared-engine")->conditions.foreign;
       }},
      {"speed",
       "the first replica takes so many times as long",
       {1, 1.5, 2, 3},
       [](P& p, double v) { p.workload.conditions.slow_factor = v; }},
      {"offload",
       "size of a host tier, over that of the KV cache",
       {0, 0.5, 1, 2, 4},
       [](P& p, double v) {
         const auto kv = static_cast<double>(p.workload.kv_tokens);
         p.workload.conditions.host_tokens = std::llround(kv * v);
       }},
      {"gateways",
       "gateways that share the engines unknowingly",
       {1, 2, 3, 4},
       [](P& p, double v) { p.workload.conditions.gateways = static_cast<std::uint32_t>(v); }},
      {"load",
       "times the workload's sessions (closed loop) or rate (open)",
       {0.25, 0.5, 0.75, 1, 1.5, 2},
       [](P& p, double v) {
         const double sessions = v * p.workload.concurrency;
         p.workload.concurrency = static_cast<std::uint32_t>(
             p.workload.concurrency > 0 ? std::max(1.0, std::round(sessions)) : 0);
         p.workload.rate *= v;
         p.workload.pace *= v;
       }},
  };
  return all;
}

Expected<SimulatePlan> plan_of(const SimulateOptions& options) {
  SimulatePlan plan;
  const auto workloads = chosen_workloads(options, plan.remarks);
  if (!workloads) return std::unexpected(workloads.error());
  std::vector<std::string> sweep_names;
  for (const Sweep& sweep : sweeps()) sweep_names.emplace_back(sweep.name);
  const std::vector<std::string> swept = chosen(options.sweeps, sweep_names);
  for (const sim::Workload& workload : *workloads) {
    sim::SimulationParams params;
    params.workload = adapted(options, workload);
    params.network_delay = from_seconds(options.delay_ms * 1e-3);
    params.lag = from_seconds(options.lag_s);
    params.told_slots = options.slots;
    params.estimate_error = options.estimate_error;
    params.seed = options.seed;
    for (const std::string& policy : chosen(options.policies, all_policies())) {
      params.policy = *core::preset(policy);
      if (swept.empty()) plan.rows.push_back({.params = params, .sweep = std::nullopt});
    }
    for (const std::string& name : swept) {
      const Sweep& sweep = *std::ranges::find(sweeps(), name, &Sweep::name);
      for (const double value : sweep.values) {
        for (const std::string& policy : chosen(options.policies, all_policies())) {
          PlannedRow row{
              .params = params,
              .sweep = sim::SweepPoint{.name = name, .about = sweep.about, .value = value}};
          row.params.policy = *core::preset(policy);
          sweep.apply(row.params, value);
          plan.rows.push_back(std::move(row));
        }
      }
    }
  }
  return plan;
}

}  // namespace turnpike::app
