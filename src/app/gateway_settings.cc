#include "app/gateway_settings.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <thread>

#include "base/hash_chain.h"
#include "gateway/labels.h"

namespace turnpike::app {
namespace {

openai::HashSeed hash_seed(const std::string& key) {
  if (!key.empty()) return {hash_bytes(key)};
  std::random_device device;
  return {std::uint64_t{device()} << 32U | device()};
}

net::ClientCertificates client_certificates(config::ClientCertificates wanted) {
  switch (wanted) {
    case config::ClientCertificates::none:
      return net::ClientCertificates::none;
    case config::ClientCertificates::optional:
      return net::ClientCertificates::optional;
    case config::ClientCertificates::required:
      return net::ClientCertificates::required;
  }
  return net::ClientCertificates::required;
}

std::size_t bytes(ByteCount count) {
  return static_cast<std::size_t>(count.value());
}

}  // namespace

gateway::Settings gateway_settings(const config::Config& config) {
  static_assert(config::kMaxLabels == gateway::kMaxLabels);
  gateway::Settings s;
  s.listen = config.listen;
  s.admin = config.admin;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  s.workers = config.workers > 0 ? config.workers : std::max(1, cores - 1);
  for (const config::Backend& backend : config.backends) {
    s.backends.push_back({.url = backend.url,
                          .name = backend.name,
                          .models = backend.models,
                          .labels = backend.labels,
                          .slots = backend.slots,
                          .capacity = backend.capacity,
                          .api_key = backend.api_key,
                          .tls = {.ca = backend.tls.ca,
                                  .certificate = backend.tls.certificate,
                                  .key = backend.tls.key,
                                  .verify = !backend.tls.insecure},
                          .tls_server_name = backend.tls.server_name});
  }
  s.pool = config::pool_params(config);

  s.tls = {.certificate = config.tls.certificate,
           .key = config.tls.key,
           .client_ca = config.tls.client_ca,
           .client_certificates = client_certificates(config.tls.client_certificates)};
  s.tls_reload = config.tls.reload_interval;

  s.sessions.sources.clear();
  for (const std::string& name : config.session.headers)
    s.sessions.sources.push_back({openai::SessionSource::Kind::header, name});
  for (const std::string& text : config.session.sources) {
    if (auto source = openai::parse_session_source(text))  // it has been checked
      s.sessions.sources.push_back(*std::move(source));
  }
  s.hash_seed = hash_seed(config.session.hash_key);
  s.response_headers = config.response_headers;
  s.rate_limit_entries = config.tenants.rate_entries;

  const config::LimitConfig& limits = config.limits;
  s.head_limits = {.max_bytes = bytes(limits.head),
                   .max_fields = limits.header_fields,
                   .max_target = bytes(limits.target)};
  s.body_bytes = bytes(limits.body);
  s.connections = limits.connections;
  s.recent_requests = limits.recent_requests;
  s.stored_responses = limits.stored_responses;
  s.conversations = {.conversations = limits.conversations, .idle = limits.conversation_idle};
  s.upstream_head_limits.max_bytes = bytes(limits.upstream_head);
  s.upstream_head_limits.max_fields = limits.upstream_header_fields;
  s.idle_upstreams = limits.idle_upstreams;
  s.scrape_bytes = bytes(limits.scrape_body);

  const config::TimeoutConfig& timeouts = config.timeouts;
  s.keep_alive = timeouts.keep_alive;
  s.head_arrival = timeouts.head;
  s.body_pause = timeouts.body_pause;
  s.client_write = timeouts.client_write;
  s.connect = timeouts.connect;
  s.first_byte = timeouts.first_byte;
  s.stream_idle = timeouts.stream_idle;
  s.upstream_idle = timeouts.upstream_idle;
  s.drain_settle = timeouts.drain_settle;
  s.drain_timeout = timeouts.drain;

  s.health_active = config.health.active;
  s.health_path = config.health.path;
  s.health_interval = config.health.interval;
  s.health_timeout = config.health.timeout;
  s.unhealthy_after = config.health.unhealthy_after;
  s.healthy_after = config.health.healthy_after;
  s.gauges_path = config.gauges.path;
  s.gauges_interval = config.gauges.interval;
  s.gauges_timeout = config.gauges.timeout;
  s.models_interval = config.models.interval;
  s.models_timeout = config.models.timeout;
  s.model_label_limit = config.metrics.max_models;
  s.kthena_names = config.metrics.kthena_names;
  return s;
}

}  // namespace turnpike::app
