#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "core/preset/preset.h"
#include "http/head.h"
#include "net/tls_context.h"
#include "openai/conversation_index.h"
#include "openai/identity.h"
#include "openai/model_routes.h"
#include "tenant/tenants.h"

namespace turnpike::gateway {

// One model server, as the operator named it.
struct BackendSettings {
  std::string url;
  std::string name;
  std::vector<std::string> models;  // empty: as its /v1/models says
  std::vector<std::string> labels;  // "key=value", at most kMaxLabels
  int slots = 0;                    // 0: learned
  TokenCount capacity{0};           // 0: as it reports
  std::string api_key;
  // With an https:// URL:
  net::TlsClientSettings tls;
  std::string tls_server_name;  // empty: the URL's host

  friend bool operator==(const BackendSettings&, const BackendSettings&) = default;
};

// What a gateway runs with: the configuration, checked and resolved, fixed for the life of the process. Durations are policy
// time (the injected clock's).
struct Settings {
  // Listening
  std::string listen = "127.0.0.1:8080";
  std::string admin = "127.0.0.1:9901";
  int workers = 1;
  std::vector<BackendSettings> backends;
  core::PoolParams pool;

  // TLS towards clients, if there is a certificate
  net::TlsServerSettings tls;
  Duration tls_reload = std::chrono::seconds(10);

  // Clients
  openai::SessionRules sessions;
  openai::HashSeed hash_seed;
  openai::ConversationLimits conversations;
  // Who may do what at the start; Gateway::set_tenants() replaces it.
  std::shared_ptr<const tenant::Tenants> tenants =
      std::make_shared<tenant::Tenants>(tenant::TenantRules{});
  // Under which names models can be asked for, at the start; Gateway::set_routes() replaces it.
  std::shared_ptr<const openai::ModelRoutes> routes = std::make_shared<openai::ModelRoutes>();
  std::size_t rate_limit_entries = 100'000;  // tenants times models whose use is remembered
  std::size_t stored_responses = 100'000;    // of which the endpoint is remembered
  bool response_headers = true;              // x-turnpike-*
  http::HeadLimits head_limits;
  std::uint64_t body_bytes = std::uint64_t{64} << 20U;
  std::size_t connections = 10'000;    // of one worker
  std::size_t recent_requests = 1024;  // of one worker, kept to be explained
  Duration keep_alive = std::chrono::seconds(75);
  Duration head_arrival = std::chrono::seconds(30);
  Duration body_pause = std::chrono::seconds(30);
  Duration client_write = std::chrono::minutes(2);

  // Endpoints
  http::HeadLimits upstream_head_limits;
  std::size_t idle_upstreams = 256;  // kept connections to one endpoint, of one worker
  Duration upstream_idle = std::chrono::seconds(4);
  Duration connect = std::chrono::seconds(1);
  Duration first_byte = std::chrono::minutes(10);
  Duration stream_idle = std::chrono::minutes(2);
  bool health_active = true;
  std::string health_path = "/health";
  Duration health_interval = std::chrono::seconds(2);
  Duration health_timeout = std::chrono::seconds(1);
  int unhealthy_after = 3;
  int healthy_after = 1;
  std::string gauges_path = "/metrics";
  Duration gauges_interval = std::chrono::seconds(1);
  Duration gauges_timeout = std::chrono::seconds(1);
  Duration models_interval = std::chrono::seconds(10);
  Duration models_timeout = std::chrono::seconds(1);
  std::size_t scrape_bytes = std::size_t{16}
                             << 20U;  // of an answer to a scrape or a question for models

  // Ending
  Duration drain_settle =
      std::chrono::seconds(0);  // between turning unready and closing the listening sockets
  Duration drain_timeout = std::chrono::minutes(5);

  std::size_t model_label_limit = 100;  // distinct model names in metrics
  bool kthena_names = false;            // the queue's metrics also under the ancestor's names
};

}  // namespace turnpike::gateway
