#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"
#include "metrics/registry.h"
#include "openai/route.h"

namespace turnpike::gateway {

// The families that workers count in.
struct RequestFamilies {
  RequestFamilies(metrics::Registry& registry, std::size_t max_models, bool kthena_names);

  const std::size_t max_models;  // with a label of their own; further ones are "other"
  metrics::Counters& requests;
  metrics::Histograms& duration;
  metrics::Histograms& queue_wait;
  metrics::Histograms& first_token;
  metrics::Histograms& inter_token;
  metrics::Counters& tokens;
  metrics::Counters& attempts_failed;
  metrics::Gauges& connections;
  metrics::Counters& connections_refused;
  metrics::Counters& handshakes;
  metrics::Counters& task_failures;
  metrics::Histograms* kthena_wait;  // null: not wanted
};

// What became of one request.
struct RequestReport {
  openai::Route route = openai::Route::unknown;
  ModelId model;                // none: it named no known one
  std::string_view model_name;  // as clients know it; empty: none
  int status = 0;
  std::string_view reason;  // static text; empty: none
  bool dispatched = false;
  bool streaming = false;
  std::optional<Duration> queued;       // from arrival to dispatch, or to its end in the queue
  std::optional<Duration> first_token;  // from arrival
  Duration total{0};                    // from arrival
  core::Usage usage;
};

// One worker's counting. Cells are looked up once per combination of labels and then kept, so that counting a request takes a few
// additions. That worker's thread only.
class WorkerMetrics {
 public:
  WorkerMetrics(RequestFamilies& families, std::size_t shard);

  void finished(const RequestReport& report);
  void attempt_failed(core::FailureKind kind);
  void connections(std::size_t open) { connections_.set(static_cast<double>(open)); }
  void connection_refused() { connections_refused_.add(); }
  void handshake(bool good) { (good ? handshakes_ : handshakes_failed_).add(); }
  void task_failed() { task_failures_.add(); }

 private:
  // The cells of one model.
  struct PerModel {
    metrics::Histogram& duration;
    metrics::Histogram& wait_dispatched;
    metrics::Histogram& wait_ended;
    metrics::Histogram* kthena_wait;  // null: not wanted
    metrics::Histogram& first_token;
    metrics::Histogram& inter_token;
    metrics::Counter& input;
    metrics::Counter& cached;
    metrics::Counter& output;
  };
  PerModel& of(const RequestReport& report);
  [[nodiscard]] std::string_view label_of(const RequestReport& report) const;

  RequestFamilies& families_;
  const std::size_t shard_;
  absl::flat_hash_map<ModelId, std::unique_ptr<PerModel>> models_;
  // By model, status and reason; reasons are static texts.
  absl::flat_hash_map<std::tuple<ModelId, int, const char*>, metrics::Counter*> requests_;
  metrics::Gauge& connections_;
  metrics::Counter& connections_refused_;
  metrics::Counter& handshakes_;
  metrics::Counter& handshakes_failed_;
  metrics::Counter& task_failures_;
};

}  // namespace turnpike::gateway
