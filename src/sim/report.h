#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "sim/result.h"

namespace turnpike::sim {

// The result file that `load` and `simulate` share, so that one report and one comparison serve both.
struct ResultFile {
  std::string command;  // "load" or "simulate"
  std::string version;
  std::uint64_t seed = 0;
  std::string started;             // RFC 3339
  std::vector<RunResult> runs;     // one for each workload and policy
  std::vector<RunResult> by_seed;  // what they are the medians of; empty: each is a run of its own
};

nlohmann::ordered_json to_json(const RunResult& run);
nlohmann::ordered_json to_json(const ResultFile& file);

// The figures that are always reported together, as a table for a terminal: one line a run.
std::string table(const std::vector<RunResult>& runs);

}  // namespace turnpike::sim
