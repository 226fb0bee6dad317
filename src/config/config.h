#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "core/preset/preset.h"

// Everything that a user can set, as plain data with the defaults. The keys, their documentation and their bounds stand in
// describe.cc. Keys that belong to a policy (`expert`, `retries`, the queue's limits and so on) are written straight into the
// parameters of its preset, so that what is not set stays the preset's. Durations are policy time; kForever is "off".
namespace turnpike::config {

using std::chrono::minutes;
using std::chrono::seconds;

// How a model server with an https:// URL is spoken to. Paths are of PEM files.
struct BackendTls {
  std::string ca;           // empty: whom the system trusts
  std::string certificate;  // shown to it; empty: none
  std::string key;
  std::string server_name;  // empty: the URL's host
  bool insecure = false;

  friend bool operator==(const BackendTls&, const BackendTls&) = default;
};

inline constexpr std::size_t kMaxLabels = 4;  // of a backend

// One model server.
struct Backend {
  std::string url;
  std::string name;                 // empty: made from the URL
  std::vector<std::string> models;  // empty: as its /v1/models says
  std::vector<std::string> labels;  // "key=value"
  int slots = 0;                    // 0: learned
  TokenCount capacity{0};           // 0: as it reports
  std::string api_key;              // secret
  BackendTls tls;

  friend bool operator==(const Backend&, const Backend&) = default;
};

enum class ClientCertificates : std::uint8_t { none, optional, required };

// Towards clients. Paths are of PEM files.
struct TlsConfig {
  std::string certificate;  // empty: no TLS
  std::string key;
  std::string client_ca;
  ClientCertificates client_certificates = ClientCertificates::none;
  Duration reload_interval = seconds(10);

  friend bool operator==(const TlsConfig&, const TlsConfig&) = default;
};

struct SessionConfig {
  std::vector<std::string> headers = {"X-Session-ID"};  // tried before all sources
  std::vector<std::string> sources = {"headers", "body", "prompt"};
  std::string hash_key;  // secret; empty: drawn at the start

  friend bool operator==(const SessionConfig&, const SessionConfig&) = default;
};

enum class PriorityClass : std::uint8_t { batch, standard, interactive };

// What a tenant may.
struct TermsConfig {
  double weight = 1.0;
  PriorityClass max_class = PriorityClass::standard;
  std::size_t max_in_flight = 0;  // 0: any number
  double requests_per_minute = 0;
  double input_tokens_per_minute = 0;
  double output_tokens_per_minute = 0;

  friend bool operator==(const TermsConfig&, const TermsConfig&) = default;
};

struct TenantConfig {
  std::string name;
  std::vector<std::string> keys;  // secret
  TermsConfig terms;

  friend bool operator==(const TenantConfig&, const TenantConfig&) = default;
};

struct JwtConfig {
  std::string keys_file;  // empty: no tokens
  std::string issuer;
  std::string audience;
  std::string subject = "sub";
  Duration leeway = seconds(60);

  friend bool operator==(const JwtConfig&, const JwtConfig&) = default;
};

struct TenantsConfig {
  bool required = false;
  bool trust_unverified = false;
  std::string header;
  std::string keys_file;
  JwtConfig jwt;
  TermsConfig other;  // of everybody who is not in the list
  std::vector<TenantConfig> list;
  std::size_t rate_entries = 100'000;

  friend bool operator==(const TenantsConfig&, const TenantsConfig&) = default;
};

// Under which name a model can be asked for.
struct RouteConfig {
  std::string model;
  std::vector<std::string> to;
  std::vector<std::string> headers;
  std::string path;

  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};

struct LimitConfig {
  // Of clients.
  ByteCount body{std::int64_t{64} << 20};
  ByteCount head{std::int64_t{64} << 10};
  std::size_t header_fields = 128;
  ByteCount target{std::int64_t{8} << 10};
  std::size_t connections = 10'000;     // of one worker
  std::size_t recent_requests = 1024;   // of one worker; 0: none
  std::size_t conversations = 100'000;  // known by their prompts
  std::size_t stored_responses = 100'000;
  Duration conversation_idle = std::chrono::hours(1);

  // Of endpoints.
  ByteCount upstream_head{std::int64_t{64} << 10};
  std::size_t upstream_header_fields = 128;
  std::size_t idle_upstreams = 256;  // kept connections to one endpoint, of one worker
  ByteCount scrape_body{std::int64_t{16} << 20};

  friend bool operator==(const LimitConfig&, const LimitConfig&) = default;
};

struct TimeoutConfig {
  // Of clients.
  Duration head = seconds(30);
  Duration body_pause = seconds(30);
  Duration keep_alive = seconds(75);
  Duration client_write = minutes(2);

  // Of endpoints.
  Duration connect = seconds(1);
  Duration first_byte = minutes(10);
  Duration stream_idle = minutes(2);
  Duration upstream_idle = seconds(4);

  // Of the end.
  Duration drain_settle{0};  // unready, but still listening
  Duration drain = minutes(5);

  friend bool operator==(const TimeoutConfig&, const TimeoutConfig&) = default;
};

struct HealthConfig {
  bool active = true;
  std::string path = "/health";
  Duration interval = seconds(2);
  Duration timeout = seconds(1);
  int unhealthy_after = 3;
  int healthy_after = 1;

  friend bool operator==(const HealthConfig&, const HealthConfig&) = default;
};

struct GaugeConfig {
  std::string path = "/metrics";
  Duration interval = seconds(1);
  Duration timeout = seconds(1);

  friend bool operator==(const GaugeConfig&, const GaugeConfig&) = default;
};

struct ModelsConfig {
  Duration interval = seconds(10);
  Duration timeout = seconds(1);

  friend bool operator==(const ModelsConfig&, const ModelsConfig&) = default;
};

enum class AccessLogFormat : std::uint8_t { off, text, json };

struct AccessLogConfig {
  AccessLogFormat format = AccessLogFormat::off;
  std::string output = "stdout";  // stdout, stderr, or a file to append to
  std::size_t queue = 16'384;     // lines that may wait to be written; more are dropped and counted

  friend bool operator==(const AccessLogConfig&, const AccessLogConfig&) = default;
};

// What happens to the policy core, for replay.
struct JournalConfig {
  ByteCount memory{std::int64_t{16} << 20};  // 0, and no directory: nothing is recorded
  std::string directory;                     // empty: no files
  ByteCount file_size{std::int64_t{64} << 20};
  ByteCount total_size{std::int64_t{1} << 30};

  friend bool operator==(const JournalConfig&, const JournalConfig&) = default;
};

enum class LogLevel : std::uint8_t { debug, info, warning, error, off };

struct LogConfig {
  LogLevel level = LogLevel::info;

  friend bool operator==(const LogConfig&, const LogConfig&) = default;
};

struct MetricsConfig {
  std::size_t max_models = 100;  // distinct model names in labels; further ones are "other"
  bool kthena_names = false;     // also under the ancestor's names

  friend bool operator==(const MetricsConfig&, const MetricsConfig&) = default;
};

// What `resident-set` weighs: how soon newcomers go against how much is computed.
enum class Goal : std::uint8_t { latency, balanced, throughput };
double alpha_of(Goal goal);  // seconds of waiting worth 1000 tokens

struct Config {
  std::string listen = "127.0.0.1:8080";
  std::string admin = "127.0.0.1:9901";
  int workers = 0;  // 0: one less than the cores, at least 1
  double speed = 1.0;
  std::string policy = "resident-set";
  Goal goal = Goal::balanced;
  std::vector<Backend> backends;
  bool response_headers = true;
  TlsConfig tls;
  SessionConfig session;
  TenantsConfig tenants;
  std::vector<RouteConfig> routes;
  LimitConfig limits;
  TimeoutConfig timeouts;
  HealthConfig health;
  GaugeConfig gauges;
  ModelsConfig models;
  AccessLogConfig access_log;
  JournalConfig journal;
  LogConfig log;
  MetricsConfig metrics;
  core::PoolParams pool;  // the preset `policy`, with what the user sets of it

  friend bool operator==(const Config&, const Config&) = default;
};

// Of every pool that this configuration makes.
inline const core::PoolParams& pool_params(const Config& config) {
  return config.pool;
}

}  // namespace turnpike::config
