#include "app/workload_options.h"

#include <fmt/format.h>

#include "engine/profile.h"

namespace turnpike::app {

std::vector<std::string> workload_names() {
  std::vector<std::string> names;
  for (const sim::Workload& workload : sim::workloads()) names.push_back(workload.name);
  return names;
}

std::vector<std::string> profile_names() {
  std::vector<std::string> names;
  for (const engine::Profile& profile : engine::profiles()) names.emplace_back(profile.name);
  return names;
}

std::string workload_list() {
  std::string list = "Workloads:";
  for (const sim::Workload& workload : sim::workloads()) {
    list += fmt::format("\n  {:<24} {}", workload.name, workload.about);
  }
  return list;
}

void WorkloadOptions::add_to(CLI::App& command) {
  command
      .add_option("--sessions", sessions,
                  "Sessions in all; the workload's duration is then ignored")
      ->check(CLI::PositiveNumber);
  auto* const closed =
      command.add_option("--concurrency", concurrency, "Closed loop: sessions at a time")
          ->check(CLI::Range(1, 1'000'000));
  command.add_option("--rate", rate, "Open loop: new sessions per second")
      ->check(CLI::Range(1e-6, 1e6))
      ->excludes(closed);
  command.add_option("--rate-factor", rate_factor, "Open loop: times the rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option("--duration", duration_s,
                  "Seconds; the first 15 % are not reported unless --sessions is given")
      ->check(CLI::Range(0.001, 1e8));
  command.add_option("--seed", seed, "The same seed gives the same sessions")
      ->capture_default_str();
  command.add_option("--json", json, "Where to write the result file");
}

sim::Workload WorkloadOptions::changed(sim::Workload base) const {
  if (concurrency) {
    base.concurrency = *concurrency;
    base.rate = 0;
  }
  if (rate) {
    // A trace that knows its arrivals has a rate of its own: another one makes it faster or slower.
    if (base.trace && base.rate > 0) base.pace *= *rate / base.rate;
    base.rate = *rate;
    base.concurrency = 0;
  }
  base.rate *= rate_factor;
  base.pace *= rate_factor;
  if (sessions) {
    base.sessions = *sessions;
    // So many sessions, however long they take.
    base.duration = Duration(0);
    base.warm_up = Duration(0);
  }
  if (duration_s) {
    base.duration = from_seconds(*duration_s);
    base.warm_up = sessions ? Duration(0) : base.duration * 15 / 100;
  }
  if (replicas) base.replicas = *replicas;
  return base;
}

}  // namespace turnpike::app
