#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "metrics/text.h"

namespace turnpike::metrics {

// What the operating system says of this process. Absent where /proc does not tell.
struct ProcessStats {
  std::optional<double> cpu_seconds;  // user and system
  std::optional<std::uint64_t> resident_bytes;
  std::optional<std::uint64_t> virtual_bytes;
  std::optional<std::uint64_t> open_fds;
  std::optional<std::uint64_t> max_fds;
  std::optional<double> start_time_seconds;  // since 1970
};

ProcessStats read_process_stats();

// CPU ticks and start time (in ticks since boot) from the text of /proc/self/stat. The command in it may hold blanks and brackets.
struct StatFields {
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
  std::uint64_t start_ticks = 0;
};
std::optional<StatFields> parse_stat(std::string_view text);

// process_cpu_seconds_total and so on, with the names that Prometheus' own clients use.
void write_process_stats(TextWriter& out, const ProcessStats& stats);
// turnpike_build_info{version,compiler,build_type} 1
void write_build_info(TextWriter& out, std::string_view version, std::string_view compiler,
                      std::string_view build_type);

}  // namespace turnpike::metrics
