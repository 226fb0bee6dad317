#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::bench {

// The processes of the proxy under test, seen from outside through /proc.
class Processes {
 public:
  explicit Processes(std::vector<int> pids) : pids_(std::move(pids)) {}

  // CPU time of all their threads that live, user and system together, to the nanosecond.
  std::chrono::nanoseconds cpu() const;
  // Resident memory of all of them, bytes.
  std::int64_t resident() const;

 private:
  std::vector<int> pids_;
};

}  // namespace turnpike::bench
