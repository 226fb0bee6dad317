#include "gateway/metrics.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>

#include "metrics/process.h"

namespace turnpike::gateway {

namespace {

using metrics::TextWriter;
using Type = TextWriter::Type;

// One family whose samples come from a list.
template <typename Item, typename Write>
void write_family(TextWriter& out, std::string_view name, Type type, std::string_view help,
                  const std::vector<Item>& items, Write write) {
  out.family(name, type, help);
  for (const Item& item : items) write(item);
}

void write_pools(TextWriter& out, const std::vector<PoolSample>& pools) {
  const std::array<std::string, 1> label = {"model"};
  const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
    write_family(out, name, type, help, pools, [&](const PoolSample& pool) {
      const std::array<std::string, 1> values = {pool.model};
      out.sample(label, values, value(pool.view));
    });
  };
  const auto level = [&](std::string_view name, std::string_view help, auto value) {
    each(name, Type::gauge, help,
         [&](const core::PoolView& view) { return static_cast<double>(value(view)); });
  };
  const auto count = [&](std::string_view name, std::string_view help,
                         std::uint64_t core::PoolCounters::* member) {
    each(name, Type::counter, help,
         [&](const core::PoolView& view) { return view.counters.*member; });
  };
  using View = core::PoolView;
  using Counters = core::PoolCounters;
  level("turnpike_queue_length", "Requests that wait for an endpoint.",
        [](const View& v) { return v.queued; });
  level("turnpike_queue_bytes", "Bodies of the requests that wait.",
        [](const View& v) { return v.queued_bytes.value(); });
  level("turnpike_in_flight", "Requests dispatched and not ended.",
        [](const View& v) { return v.in_flight; });
  level("turnpike_endpoints", "Endpoints of the pool.", [](const View& v) { return v.endpoints; });
  level("turnpike_endpoints_dispatchable", "Of those, the ones that may get requests.",
        [](const View& v) { return v.dispatchable; });
  level("turnpike_panic",
        "1 while ejection by failed requests is ignored because too few endpoints are healthy.",
        [](const View& v) { return v.panic ? 1 : 0; });
  level("turnpike_sessions", "Sessions that are remembered.",
        [](const View& v) { return v.sessions; });
  level("turnpike_sessions_tracked", "Sessions whose next turn would be boosted.",
        [](const View& v) { return v.sessions_tracked; });
  level("turnpike_slots_held", "Slots held for a session's next turn.",
        [](const View& v) { return v.slots_held; });
  count("turnpike_submitted_total", "Requests that were given to the pool.", &Counters::submitted);
  count("turnpike_boosts_total", "Requests that were given a boost.", &Counters::boosts);
  count("turnpike_overtakes_total", "Dispatches ahead of an earlier arrival.",
        &Counters::overtakes);
  count("turnpike_rebinds_total", "Dispatches that moved a session to another endpoint.",
        &Counters::rebinds);
  count("turnpike_retries_total", "Dispatches after the first of a request.", &Counters::retries);
  count("turnpike_breaker_opened_total", "How often failures took an endpoint out.",
        &Counters::breaker_opened);
  count("turnpike_sessions_evicted_total", "Sessions forgotten because there were too many.",
        &Counters::sessions_evicted);
  count("turnpike_predicted_cached_tokens_total", "Prompt tokens that were expected to be cached.",
        &Counters::predicted_cached_tokens);
  count("turnpike_reported_cached_tokens_total", "Prompt tokens that engines said were cached.",
        &Counters::reported_cached_tokens);

  const std::array<std::string, 2> by_decision = {"model", "decision"};
  write_family(out, "turnpike_queue_dispatched_total", Type::counter,
               "Dispatches, by why they went where they went.", pools, [&](const PoolSample& pool) {
                 for (std::size_t i = 0; i < pool.view.counters.dispatched.size(); ++i) {
                   const std::array<std::string, 2> values = {
                       pool.model, std::string(core::to_string(static_cast<core::Why>(i)))};
                   out.sample(by_decision, values, pool.view.counters.dispatched[i]);
                 }
               });
  const std::array<std::string, 2> by_reason = {"model", "reason"};
  write_family(out, "turnpike_queue_rejected_total", Type::counter,
               "Requests that the pool turned away, by why.", pools, [&](const PoolSample& pool) {
                 for (std::size_t i = 0; i < pool.view.counters.rejected.size(); ++i) {
                   const std::array<std::string, 2> values = {
                       pool.model,
                       std::string(core::to_string(static_cast<core::RejectReason>(i)))};
                   out.sample(by_reason, values, pool.view.counters.rejected[i]);
                 }
               });
  const std::array<std::string, 2> by_cause = {"model", "cause"};
  write_family(out, "turnpike_queue_cancelled_total", Type::counter,
               "Requests whose client left: while they waited, or when they had been dispatched.",
               pools, [&](const PoolSample& pool) {
                 out.sample(by_cause, std::array<std::string, 2>{pool.model, "client-left-queued"},
                            pool.view.counters.cancelled_queued);
                 out.sample(by_cause,
                            std::array<std::string, 2>{pool.model, "client-left-dispatched"},
                            pool.view.counters.cancelled);
               });
}

// What the ancestor's dashboards look for. Its histogram of waits is counted by the workers.
void write_kthena_names(TextWriter& out, const std::vector<PoolSample>& pools) {
  const std::array<std::string, 1> label = {"model"};
  const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
    write_family(out, name, type, help, pools, [&](const PoolSample& pool) {
      out.sample(label, std::array<std::string, 1>{pool.model}, value(pool.view));
    });
  };
  using View = core::PoolView;
  each("kthena_router_session_boost_queue_size", Type::gauge, "Requests that wait.",
       [](const View& v) { return static_cast<double>(v.queued); });
  each("kthena_router_session_boost_queue_inflight", Type::gauge,
       "Requests dispatched and not ended.",
       [](const View& v) { return static_cast<double>(v.in_flight); });
  each("kthena_router_session_boost_queue_cancelled_total", Type::counter,
       "Requests that left the queue because their client did or their time was over.",
       [](const View& v) {
         const auto timed_out = static_cast<std::size_t>(core::RejectReason::queue_timeout);
         return v.counters.cancelled_queued + v.counters.rejected[timed_out];
       });
  each("kthena_router_session_boost_queue_dequeue_total", Type::counter, "Dispatches.",
       [](const View& v) {
         return std::accumulate(v.counters.dispatched.begin(), v.counters.dispatched.end(),
                                std::uint64_t{0});
       });
}

void write_endpoints(TextWriter& out, const std::vector<core::EndpointView>& endpoints) {
  const std::array<std::string, 1> label = {"endpoint"};
  using View = core::EndpointView;
  const auto each = [&](std::string_view name, Type type, std::string_view help, auto value) {
    write_family(out, name, type, help, endpoints, [&](const View& view) {
      const std::array<std::string, 1> values = {view.name};
      const auto given = value(view);
      if (given) out.sample(label, values, *given);
    });
  };
  using Level = std::optional<double>;
  using Count = std::optional<std::uint64_t>;
  const auto level = [&](std::string_view name, std::string_view help,
                         const std::function<Level(const View&)>& value) {
    each(name, Type::gauge, help, value);
  };
  const auto count = [&](std::string_view name, std::string_view help,
                         const std::function<Count(const View&)>& value) {
    each(name, Type::counter, help, value);
  };
  const auto of_tokens = [](std::optional<TokenCount> tokens) {
    return tokens ? Level(tokens->as_double()) : Level();
  };
  level("turnpike_endpoint_dispatchable", "1 if the endpoint may get requests.",
        [](const View& v) { return v.dispatchable ? 1.0 : 0.0; });
  level("turnpike_endpoint_healthy", "1 if its health check passes.",
        [](const View& v) { return v.healthy ? 1.0 : 0.0; });
  level("turnpike_endpoint_breaker", "0 closed, 1 open, 2 half open.",
        [](const View& v) { return static_cast<double>(v.breaker); });
  level("turnpike_endpoint_leases", "Requests in flight there by the ledger.",
        [](const View& v) { return static_cast<double>(v.leases); });
  level("turnpike_endpoint_running_tokens", "Tokens of the contexts in flight there.",
        [](const View& v) { return v.running_tokens.as_double(); });
  level("turnpike_endpoint_backlog_tokens",
        "Uncached prompt tokens dispatched there without a first token yet.",
        [](const View& v) { return v.backlog_tokens.as_double(); });
  level("turnpike_endpoint_resident_tokens",
        "Tokens of resident contexts, where the policy keeps account of them.",
        [&](const View& v) { return of_tokens(v.resident_tokens); });
  level("turnpike_endpoint_capacity_tokens",
        "Tokens its KV cache holds: configured, reported or learned.",
        [&](const View& v) { return of_tokens(v.capacity_tokens); });
  level("turnpike_endpoint_slots", "Requests it runs at once, configured or learned; 0: unknown.",
        [](const View& v) { return static_cast<double>(v.slots); });
  level("turnpike_endpoint_foreign", "Requests there that are not ours, at the last scrape.",
        [](const View& v) { return static_cast<double>(v.foreign); });
  level("turnpike_endpoint_prefill_seconds_per_token", "Learned.",
        [](const View& v) { return v.seconds_per_token; });
  level("turnpike_endpoint_gauge_running", "Requests it says it runs.",
        [](const View& v) { return v.gauges.running ? Level(*v.gauges.running) : Level(); });
  level("turnpike_endpoint_gauge_waiting", "Requests it says wait in it.",
        [](const View& v) { return v.gauges.waiting ? Level(*v.gauges.waiting) : Level(); });
  level("turnpike_endpoint_gauge_kv_usage", "Share of its KV cache it says is in use.",
        [](const View& v) { return v.gauges.kv_usage; });
  level("turnpike_endpoint_gauge_age_seconds", "Age of its gauges.",
        [](const View& v) { return v.gauge_age ? Level(to_seconds(*v.gauge_age)) : Level(); });
  count("turnpike_endpoint_dispatched_total", "Requests dispatched there.",
        [](const View& v) { return v.dispatched; });
  count("turnpike_endpoint_failures_total", "Requests that failed there.",
        [](const View& v) { return v.failures; });
  count("turnpike_endpoint_sheds_total", "Answers that said it was full.",
        [](const View& v) { return v.sheds; });
}

void write_conversations(TextWriter& out, const Conversations::Sample& sample) {
  using Index = openai::ConversationIndex;
  out.family("turnpike_conversations", Type::gauge,
             "Conversations of clients without session ids that are remembered by their prompts.");
  out.sample(static_cast<double>(sample.known));
  out.family("turnpike_conversation_turns_total", Type::counter,
             "Requests without a session id, by how their prompt relates to a known one.");
  const std::array<std::string, 1> label = {"how"};
  for (std::size_t i = 0; i < Index::kHows; ++i) {
    const std::array<std::string, 1> value = {
        std::string(openai::to_string(static_cast<Index::How>(i)))};
    out.sample(label, value, sample.counters.turns[i]);
  }
  out.family("turnpike_conversations_ambiguous_total", Type::counter,
             "Requests that several conversations could have been meant by; they start anew.");
  out.sample(sample.counters.ambiguous);
  out.family("turnpike_conversations_forgotten_total", Type::counter,
             "Conversations forgotten because there were too many.");
  out.sample(sample.counters.forgotten);
  out.family("turnpike_conversations_refused_total", Type::counter,
             "Conversations not remembered because all that were known had requests running.");
  out.sample(sample.counters.full);
}

void write_fleet(TextWriter& out, const std::vector<Fleet::Status>& fleet) {
  const std::array<std::string, 1> label = {"endpoint"};
  const auto count = [&](std::string_view name, std::string_view help,
                         std::uint64_t Fleet::Status::* member) {
    write_family(out, name, Type::counter, help, fleet, [&](const Fleet::Status& status) {
      out.sample(label, std::array<std::string, 1>{status.name}, status.*member);
    });
  };
  count("turnpike_endpoint_scrapes_total", "Attempts to read its gauges.", &Fleet::Status::scrapes);
  count("turnpike_endpoint_scrape_failures_total", "Of those, the ones that failed.",
        &Fleet::Status::scrape_failures);
  count("turnpike_endpoint_restarts_total", "How often it was seen to have restarted.",
        &Fleet::Status::restarts);
}

void write_certificates(TextWriter& out, const Certificates::Status& status) {
  out.family("turnpike_tls_certificate_expiry_timestamp_seconds", Type::gauge,
             "When the certificate that clients are shown ends (Unix time).");
  out.sample(static_cast<double>(std::chrono::system_clock::to_time_t(status.expires)));
  out.family("turnpike_tls_reloads_total", Type::counter,
             "How often changed certificates were taken.");
  out.sample(status.reloads);
  out.family("turnpike_tls_reload_failures_total", Type::counter,
             "How often they could not be used, so that the old ones stayed.");
  out.sample(status.failures);
}

}  // namespace

Metrics::Metrics(const Settings& settings)
    : registry_(static_cast<std::size_t>(settings.workers)),
      families_(registry_, settings.model_label_limit, settings.kthena_names),
      kthena_names_(settings.kthena_names) {
  for (int i = 0; i < settings.workers; ++i) {
    workers_.push_back(std::make_unique<WorkerMetrics>(families_, static_cast<std::size_t>(i)));
  }
}

std::string Metrics::text(const std::vector<PoolSample>& pools,
                          const std::vector<core::EndpointView>& endpoints,
                          const std::vector<Fleet::Status>& fleet,
                          const TelemetrySample& telemetry) const {
  TextWriter out;
  write_pools(out, pools);
  if (kthena_names_) write_kthena_names(out, pools);
  write_endpoints(out, endpoints);
  write_fleet(out, fleet);
  out.family("turnpike_access_log_dropped_total", Type::counter,
             "Lines of the access log that were lost.");
  out.sample(telemetry.log_lines_dropped);
  out.family("turnpike_recent_requests", Type::gauge,
             "Ended requests that the admin API can still explain.");
  out.sample(static_cast<double>(telemetry.recent_requests));
  out.family("turnpike_rate_limit_entries", Type::gauge,
             "Tenants times models whose use of a minute is remembered.");
  out.sample(static_cast<double>(telemetry.rate_limit_entries));
  out.family("turnpike_rate_limit_forgotten_total", Type::counter,
             "Of them, those forgotten because there were too many.");
  out.sample(telemetry.rate_limits_forgotten);
  out.family("turnpike_journal_bytes_total", Type::counter,
             "What was recorded of the policy's events.");
  out.sample(telemetry.journal.bytes);
  out.family("turnpike_journal_memory_bytes", Type::gauge, "Of that, what is kept in memory.");
  out.sample(static_cast<double>(telemetry.journal.memory_bytes));
  out.family("turnpike_journal_dropped_bytes_total", Type::counter,
             "What should be in the journal's files and is not.");
  out.sample(telemetry.journal.dropped_bytes);
  write_conversations(out, telemetry.conversations);
  out.family("turnpike_stored_responses", Type::gauge,
             "Answers and conversations of the Responses API whose endpoint is remembered.");
  out.sample(static_cast<double>(telemetry.stored.known));
  out.family("turnpike_stored_responses_forgotten_total", Type::counter,
             "Of those, forgotten because there were too many.");
  out.sample(telemetry.stored.forgotten);
  if (telemetry.certificates) write_certificates(out, *telemetry.certificates);
  metrics::write_process_stats(out, metrics::read_process_stats());
  return registry_.scrape() + out.take();
}

}  // namespace turnpike::gateway
