#pragma once
#include <cstddef>
#include "core/pool/events.h"
namespace turnpike::gateway {
class WorkerMetrics {
 public:
  void task_failed() {}
  void connection_refused() {}
  void connections(std::size_t) {}
  void submitted() {}
  void attempt_failed(core::FailureKind) {}
};
}  // namespace turnpike::gateway
