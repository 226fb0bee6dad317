#include "metrics/process.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>

#include <sys/resource.h>
#include <unistd.h>

#include "base/ascii.h"

namespace turnpike::metrics {

namespace {

std::string read_file(const char* path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The n-th word, from 0.
std::string_view word(std::string_view text, std::size_t n) {
  for (;; --n) {
    const std::size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return {};
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (n == 0) return text.substr(0, end);
    text.remove_prefix(end);
  }
}

std::optional<std::uint64_t> boot_time() {
  const std::string text = read_file("/proc/stat");
  const std::size_t at = text.find("\nbtime ");
  if (at == std::string::npos) return std::nullopt;
  return parse_unsigned<std::uint64_t>(word(std::string_view(text).substr(at + 7), 0));
}

}  // namespace

std::optional<StatFields> parse_stat(std::string_view text) {
  const std::size_t bracket = text.rfind(')');
  if (bracket == std::string_view::npos) return std::nullopt;
  text.remove_prefix(bracket + 1);
  // Behind the command stand field 3 (state) and on; utime is 14, stime 15, starttime 22.
  const auto user = parse_unsigned<std::uint64_t>(word(text, 11));
  const auto system = parse_unsigned<std::uint64_t>(word(text, 12));
  const auto start = parse_unsigned<std::uint64_t>(word(text, 19));
  if (!user || !system || !start) return std::nullopt;
  return StatFields{*user, *system, *start};
}

ProcessStats read_process_stats() {
  ProcessStats stats;
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  if (const auto fields = parse_stat(read_file("/proc/self/stat"))) {
    stats.cpu_seconds = static_cast<double>(fields->user_ticks + fields->system_ticks) / ticks;
    if (const auto boot = boot_time()) {
      stats.start_time_seconds =
          static_cast<double>(*boot) + static_cast<double>(fields->start_ticks) / ticks;
    }
  }
  const std::string memory = read_file("/proc/self/statm");
  if (const auto pages = parse_unsigned<std::uint64_t>(word(memory, 0)))
    stats.virtual_bytes = *pages * page;
  if (const auto pages = parse_unsigned<std::uint64_t>(word(memory, 1)))
    stats.resident_bytes = *pages * page;
  std::error_code error;
  std::uint64_t open = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++open;
  }
  // One of them was the directory itself.
  if (!error && open > 0) stats.open_fds = open - 1;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = limit.rlim_cur;
  return stats;
}

void write_process_stats(TextWriter& out, const ProcessStats& stats) {
  const auto gauge = [&out](std::string_view name, std::string_view help, const auto& value) {
    if (!value) return;
    out.family(name, TextWriter::Type::gauge, help);
    out.sample(*value);
  };
  if (stats.cpu_seconds) {
    out.family("process_cpu_seconds_total", TextWriter::Type::counter,
               "User and system CPU time spent, in seconds.");
    out.sample(*stats.cpu_seconds);
  }
  gauge("process_resident_memory_bytes", "Resident memory.", stats.resident_bytes);
  gauge("process_virtual_memory_bytes", "Virtual memory.", stats.virtual_bytes);
  gauge("process_open_fds", "Open file descriptors.", stats.open_fds);
  gauge("process_max_fds", "Limit of open file descriptors.", stats.max_fds);
  gauge("process_start_time_seconds", "Start of the process, in seconds since 1970.",
        stats.start_time_seconds);
}

void write_build_info(TextWriter& out, std::string_view version, std::string_view compiler,
                      std::string_view build_type) {
  static const std::array<std::string, 3> names = {"version", "compiler", "build_type"};
  const std::array<std::string, 3> values = {std::string(version), std::string(compiler),
                                             std::string(build_type)};
  out.family("turnpike_build_info", TextWriter::Type::gauge,
             "Always 1; the labels say what is running.");
  out.sample(names, values, std::uint64_t{1});
}

}  // namespace turnpike::metrics
