#include "gateway/worker_metrics.h"

#include <string>

namespace turnpike::gateway {

namespace {

// Waits are counted up to five minutes and beyond, first tokens and answers up to ten.
metrics::Buckets wait_buckets() {
  return metrics::log_buckets(0.001, 300, 4);
}
metrics::Buckets answer_buckets() {
  return metrics::log_buckets(0.001, 600, 4);
}
metrics::Buckets token_buckets() {
  return metrics::log_buckets(0.0005, 5, 4);
}

}  // namespace

RequestFamilies::RequestFamilies(metrics::Registry& registry, std::size_t most_models,
                                 bool kthena_names)
    : max_models(most_models),
      requests(registry.counters("turnpike_requests_total", "Requests that have ended, by how.",
                                 {"model", "code", "reason"}, (max_models + 2) * 20)),
      duration(registry.histograms("turnpike_request_duration_seconds",
                                   "From a request's arrival to its end.", answer_buckets(),
                                   {"model"}, max_models + 2)),
      queue_wait(registry.histograms(
          "turnpike_queue_wait_seconds",
          "From a request's arrival to its (last) dispatch, or to its end in the queue.",
          wait_buckets(), {"model", "outcome"}, (max_models + 2) * 2)),
      first_token(registry.histograms(
          "turnpike_time_to_first_token_seconds",
          "From a request's arrival to the first token (the body, where the answer is no stream).",
          answer_buckets(), {"model"}, max_models + 2)),
      inter_token(registry.histograms("turnpike_inter_token_latency_seconds",
                                      "Mean time between tokens of a streamed answer.",
                                      token_buckets(), {"model"}, max_models + 2)),
      tokens(registry.counters("turnpike_tokens_total", "Tokens as the engines reported them.",
                               {"model", "kind"}, (max_models + 2) * 3)),
      attempts_failed(registry.counters("turnpike_attempts_failed_total",
                                        "Attempts at an endpoint that brought no answer, by why.",
                                        {"kind"})),
      connections(registry.gauges("turnpike_connections", "Open client connections.")),
      connections_refused(
          registry.counters("turnpike_connections_refused_total",
                            "Client connections closed because there were too many.")),
      handshakes(registry.counters("turnpike_tls_handshakes_total",
                                   "TLS handshakes with clients, by how they ended.", {"result"})),
      task_failures(registry.counters("turnpike_task_failures_total",
                                      "Connections that ended by an error of the gateway itself.")),
      kthena_wait(kthena_names
                      ? &registry.histograms("kthena_router_session_boost_queue_duration_seconds",
                                             "From a request's arrival to its dispatch.",
                                             {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5}, {"model"},
                                             max_models + 2)
                      : nullptr) {
  // Always shown, so that a rate over them is defined from the start.
  for (const auto kind : {core::FailureKind::refused, core::FailureKind::died,
                          core::FailureKind::bad_gateway, core::FailureKind::saturated}) {
    attempts_failed.at(0, {core::to_string(kind)});
  }
}

WorkerMetrics::WorkerMetrics(RequestFamilies& families, std::size_t shard)
    : families_(families),
      shard_(shard),
      connections_(families.connections.at(shard)),
      connections_refused_(families.connections_refused.at(shard)),
      handshakes_(families.handshakes.at(shard, {"done"})),
      handshakes_failed_(families.handshakes.at(shard, {"failed"})),
      task_failures_(families.task_failures.at(shard)) {}

// Only names that the gateway knows become labels (what a client makes up does not), and of those only the first so many: the
// same ones for every worker and every family.
std::string_view WorkerMetrics::label_of(const RequestReport& report) const {
  if (report.model.is_none()) return "";
  return report.model.value() < families_.max_models ? report.model_name : "other";
}

WorkerMetrics::PerModel& WorkerMetrics::of(const RequestReport& report) {
  std::unique_ptr<PerModel>& entry = models_[report.model];
  if (!entry) {
    const std::string_view name = label_of(report);
    entry = std::make_unique<PerModel>(PerModel{
        .duration = families_.duration.at(shard_, {name}),
        .wait_dispatched = families_.queue_wait.at(shard_, {name, "dispatched"}),
        .wait_ended = families_.queue_wait.at(shard_, {name, "ended"}),
        .kthena_wait =
            families_.kthena_wait == nullptr ? nullptr : &families_.kthena_wait->at(shard_, {name}),
        .first_token = families_.first_token.at(shard_, {name}),
        .inter_token = families_.inter_token.at(shard_, {name}),
        .input = families_.tokens.at(shard_, {name, "input"}),
        .cached = families_.tokens.at(shard_, {name, "cached"}),
        .output = families_.tokens.at(shard_, {name, "output"})});
  }
  return *entry;
}

void WorkerMetrics::finished(const RequestReport& report) {
  metrics::Counter*& requests = requests_[{report.model, report.status, report.reason.data()}];
  if (requests == nullptr) {
    const std::string_view name = label_of(report);
    requests = &families_.requests.at(shard_, {name, std::to_string(report.status), report.reason});
  }
  requests->add();
  if (report.model.is_none()) return;
  PerModel& model = of(report);
  if (report.queued)
    (report.dispatched ? model.wait_dispatched : model.wait_ended)
        .observe(to_seconds(*report.queued));
  if (!report.dispatched) return;
  if (report.queued && model.kthena_wait != nullptr)
    model.kthena_wait->observe(to_seconds(*report.queued));
  model.duration.observe(to_seconds(report.total));
  if (report.first_token) model.first_token.observe(to_seconds(*report.first_token));
  const core::Usage& usage = report.usage;
  if (usage.prompt_tokens)
    model.input.add(static_cast<std::uint64_t>(usage.prompt_tokens->value()));
  if (usage.cached_tokens)
    model.cached.add(static_cast<std::uint64_t>(usage.cached_tokens->value()));
  if (usage.output_tokens) {
    model.output.add(static_cast<std::uint64_t>(usage.output_tokens->value()));
    if (report.streaming && report.first_token && usage.output_tokens->value() > 1) {
      model.inter_token.observe(to_seconds(report.total - *report.first_token) /
                                (usage.output_tokens->as_double() - 1));
    }
  }
}

void WorkerMetrics::attempt_failed(core::FailureKind kind) {
  families_.attempts_failed.at(shard_, {core::to_string(kind)}).add();
}

}  // namespace turnpike::gateway
