#include "process.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace turnpike::bench {

std::chrono::nanoseconds Processes::cpu() const {
  std::chrono::nanoseconds total{0};
  for (const int pid : pids_) {
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", gone)) {
      // "<time on the CPU, ns> <time waiting for it> <slices>"
      std::ifstream file(thread.path() / "schedstat");
      std::int64_t nanoseconds = 0;
      if (file >> nanoseconds) total += std::chrono::nanoseconds(nanoseconds);
    }
  }
  return total;
}

std::int64_t Processes::resident() const {
  std::int64_t total = 0;
  for (const int pid : pids_) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    for (std::string word; file >> word;) {
      std::int64_t kilobytes = 0;
      // Shared pages count once over all processes of a proxy.
      if (word == "Pss:" && file >> kilobytes) total += kilobytes * 1024;
    }
  }
  return total;
}

}  // namespace turnpike::bench
