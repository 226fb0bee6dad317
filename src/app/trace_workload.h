#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "sim/workload.h"

namespace turnpike::app {

// The name of a format that is no text: a gateway's journal.
inline constexpr std::string_view kJournalFormat = "journal";

// A recording that is to be played: the options that `load` and `simulate` share.
struct TraceOptions {
  std::string trace;  // a file, or a directory of journal files; empty: none
  std::string trace_format = "detect";

  // `workload`: the option that it stands in for.
  void add_to(CLI::App& command, CLI::Option* workload);
};

// `base` with the sessions of the recording: as they came, where it says when that was; else so many at a time.
// Reads the file; errors are the user's. What was left out of the recording, and why, is added to `remarks`.
Expected<sim::Workload> with_trace(sim::Workload base, const TraceOptions& options,
                                   std::vector<std::string>& remarks);
// The same with a name of its own, which the file's gives it.
Expected<sim::Workload> trace_workload(const TraceOptions& options,
                                       std::vector<std::string>& remarks);

}  // namespace turnpike::app
