#include "app/simulate_plan.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <system_error>

#include <fmt/format.h>

#include "core/preset/preset.h"
#include "engine/profile.h"
#include "sim/trace.h"
#include "sim/trace_journal.h"
#include "sim/trace_reader.h"
#include "telemetry/journal_files.h"

namespace turnpike::app {
namespace {

// Sessions at a time of a trace that does not say when they begin.
constexpr std::uint32_t kTraceConcurrency = 32;

using TracePtr = std::shared_ptr<const sim::Trace>;

std::vector<std::string> chosen(const std::vector<std::string>& asked,
                                const std::vector<std::string>& all) {
  return std::ranges::find(asked, "all") == asked.end() ? asked : all;
}

std::vector<std::string> all_policies() {
  const auto names = core::preset_names();
  return {names.begin(), names.end()};
}

// A directory is one of journal files.
bool is_journal(const SimulateOptions& options) {
  if (options.trace_format == kJournalFormat) return true;
  return options.trace_format == "detect" &&
         (options.trace.ends_with(".journal") || std::filesystem::is_directory(options.trace));
}

Expected<TracePtr> read_the_journal(const std::string& path, std::vector<std::string>& remarks) {
  const auto files = telemetry::read_journal(path);
  if (!files) return std::unexpected(files.error());
  auto read = sim::journal_trace({files->begin(), files->end()});
  if (!read) return fail(fmt::format("{}: {}", path, read.error().message));
  if (read->left_out > 0) {
    remarks.push_back(
        fmt::format("{}: {} requests are left out, since they were not answered to their end", path,
                    read->left_out));
  }
  return std::make_shared<const sim::Trace>(std::move(read->trace));
}

Expected<TracePtr> read(const std::string& file, sim::TraceFormat format) {
  auto trace = sim::read_trace_file(file, format);
  if (!trace) return std::unexpected(trace.error());
  return std::make_shared<const sim::Trace>(*std::move(trace));
}

// A workload of the trace's sessions: as they came, where the trace says when that was; else so many at a time.
sim::Workload with_trace(sim::Workload workload, TracePtr trace) {
  if (trace->begins.empty()) {
    workload.rate = 0;
    if (workload.concurrency == 0) workload.concurrency = kTraceConcurrency;
  } else if (workload.concurrency == 0) {
    const double span = std::max(1.0, to_seconds(trace->span));
    workload.rate = static_cast<double>(trace->sessions.size()) / span;
  }
  if (workload.sessions == 0 && workload.duration == Duration(0)) {
    workload.sessions = trace->sessions.size();
  }
  workload.trace = std::move(trace);
  return workload;
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
  // A trace that knows its arrivals has a rate of its own: another one makes it faster or slower.
  if (options.rate && base.trace && base.rate > 0) workload.pace *= *options.rate / base.rate;
  if (!options.profile.empty()) workload.profile = engine::find_profile(options.profile)->name;
  if (options.kv_tokens) workload.kv_tokens = *options.kv_tokens;
  if (options.max_num_seqs) workload.max_num_seqs = *options.max_num_seqs;
  return workload;
}

Expected<std::vector<sim::Workload>> chosen_workloads(const SimulateOptions& options,
                                                      std::vector<std::string>& remarks) {
  std::vector<sim::Workload> result;
  if (!options.trace.empty()) {
    auto trace = is_journal(options)
                     ? read_the_journal(options.trace, remarks)
                     : read(options.trace, *sim::find_trace_format(options.trace_format));
    if (!trace) return std::unexpected(trace.error());
    sim::Workload workload;
    const std::filesystem::path path(options.trace);
    workload.name = (path.has_filename() ? path : path.parent_path()).filename().string();
    workload.name = workload.name.substr(0, workload.name.find('.', 1));
    workload.about = "a trace";
    result.push_back(with_trace(std::move(workload), *trace));
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
    auto trace = read(*file, sim::TraceFormat::detect);
    if (!trace) return std::unexpected(trace.error());
    result.push_back(with_trace(workload, *trace));
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
