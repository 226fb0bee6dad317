#pragma once
#include <memory>
#include <string>
#include <vector>
#include "gateway/settings.h"
#include "gateway/worker_metrics.h"
#include "net/task.h"
namespace turnpike::gateway {
class Gateway;
class Metrics {
 public:
  explicit Metrics(const Settings& s) : w_(static_cast<std::size_t>(s.workers)) {}
  WorkerMetrics& worker(int i) { return w_[static_cast<std::size_t>(i)]; }
  net::Task<std::string> scrape(Gateway&) { co_return std::string("x 1\n"); }

 private:
  std::vector<WorkerMetrics> w_;
};
}  // namespace turnpike::gateway
