#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/pool/views.h"
#include "gateway/certificates.h"
#include "gateway/conversations.h"
#include "gateway/fleet.h"
#include "gateway/settings.h"
#include "gateway/stored_answers.h"
#include "gateway/worker_metrics.h"
#include "metrics/registry.h"
#include "telemetry/flight_recorder.h"

namespace turnpike::gateway {

// What the owner says for one scrape: copies.
struct PoolSample {
  std::string model;  // the pool's first name: its label
  core::PoolView view;
};

// What the gateway's records of itself say for one scrape.
struct TelemetrySample {
  std::uint64_t log_lines_dropped = 0;
  std::size_t recent_requests = 0;
  telemetry::FlightRecorder::Counters journal;
  Conversations::Sample conversations;
  StoredAnswers::Sample stored;
  std::size_t rate_limit_entries = 0;
  std::uint64_t rate_limits_forgotten = 0;
  std::optional<Certificates::Status> certificates;  // none: no TLS
};

// All metrics of a gateway: what workers count, and what the pools and the fleet say when they are asked.
class Metrics {
 public:
  explicit Metrics(const Settings& settings);

  WorkerMetrics& worker(int index) { return *workers_[static_cast<std::size_t>(index)]; }

  // The text of /metrics.
  [[nodiscard]] std::string text(const std::vector<PoolSample>& pools,
                                 const std::vector<core::EndpointView>& endpoints,
                                 const std::vector<Fleet::Status>& fleet,
                                 const TelemetrySample& telemetry) const;

 private:
  metrics::Registry registry_;
  RequestFamilies families_;
  const bool kthena_names_;
  std::vector<std::unique_ptr<WorkerMetrics>> workers_;
};

}  // namespace turnpike::gateway
