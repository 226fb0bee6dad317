#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "sim/workload.h"

namespace turnpike::app {

// Which load, and what is changed of it: the options that `load` and `simulate` share.
struct WorkloadOptions {
  std::string workload = "kthena-c40";
  std::string profile;
  std::optional<std::uint64_t> sessions;
  std::optional<std::uint32_t> concurrency;
  std::optional<double> rate;
  std::optional<double> duration_s;
  std::optional<std::uint32_t> replicas;
  double rate_factor = 1;
  std::uint64_t seed = 1;
  std::string json;

  void add_to(CLI::App& command);
  // `base` with these changes.
  [[nodiscard]] sim::Workload changed(sim::Workload base) const;
};

// Names for help texts and checks.
std::vector<std::string> workload_names();
std::vector<std::string> profile_names();
// "Workloads:" and a line for each.
std::string workload_list();

}  // namespace turnpike::app
