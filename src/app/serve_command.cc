#include "app/serve_command.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>

#include "admin/admin_api.h"
#include "app/config_commands.h"
#include "app/gateway_settings.h"
#include "app/reload.h"
#include "app/rules.h"
#include "app/termination.h"
#include "base/clock.h"
#include "base/log.h"
#include "gateway/gateway.h"
#include "telemetry/access_log.h"
#include "telemetry/flight_recorder.h"

namespace turnpike::app {
namespace {

struct Options {
  std::string file;
  std::map<std::string, std::vector<std::string>> given;  // by flag
};

// Flags and the keys they set.
struct KeyFlag {
  const char* flag;
  const char* key;
  const char* help;
};
constexpr std::array kKeyFlags = {
    KeyFlag{"--backend", "backends", "A model server's URL (repeatable)"},
    KeyFlag{"--listen", "listen", "Where clients connect, as address:port"},
    KeyFlag{"--admin", "admin", "Where probes, /metrics and the admin API listen"},
    KeyFlag{"--tls-cert", "tls.certificate", "PEM file of the certificates that clients are shown"},
    KeyFlag{"--tls-key", "tls.key", "PEM file of their key"},
    KeyFlag{"--policy", "policy", "Preset of order, admission and placement"},
    KeyFlag{"--session-header", "session.headers", "Header that names the session (repeatable)"},
    KeyFlag{"--workers", "workers", "Threads that serve clients"},
    KeyFlag{"--access-log", "access_log.format", "One line per request: off, text or json"},
    KeyFlag{"--journal", "journal.directory", "Directory for a journal of the policy's events"},
    KeyFlag{"--log-level", "log.level", "debug, info, warning, error or off"},
    KeyFlag{"--speed", "speed", "Policy seconds per real second"},
};

std::vector<config::FlagValue> flag_values(const Options& options) {
  std::vector<config::FlagValue> flags;
  for (const KeyFlag& flag : kKeyFlags) {
    const auto given = options.given.find(flag.flag);
    if (given == options.given.end() || given->second.empty()) continue;
    flags.push_back({.key = flag.key, .values = given->second, .flag = flag.flag});
  }
  return flags;
}

// Null if it is off.
Expected<std::unique_ptr<telemetry::AccessLog>> open_access_log(
    const config::AccessLogConfig& config) {
  if (config.format == config::AccessLogFormat::off) return nullptr;
  auto sink = telemetry::open_sink(config.output);
  if (!sink) return std::unexpected(sink.error());
  const auto format = config.format == config::AccessLogFormat::json
                          ? telemetry::AccessLogFormat::json
                          : telemetry::AccessLogFormat::text;
  return std::make_unique<telemetry::AccessLog>(format, config.queue, std::move(*sink));
}

// Null if it is off.
Expected<std::unique_ptr<telemetry::FlightRecorder>> open_recorder(
    const config::JournalConfig& config, TimePoint now, Log log) {
  const auto bytes = [](ByteCount count) { return static_cast<std::size_t>(count.value()); };
  if (config.memory == ByteCount(0) && config.directory.empty()) return nullptr;
  const auto wall_clock = [] {
    return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  return telemetry::FlightRecorder::open(
      {.memory = bytes(config.memory),
       .files = {.directory = config.directory,
                 .file_bytes = bytes(config.file_size),
                 .total_bytes = bytes(config.total_size)}},
      now, wall_clock,
      [log = std::move(log)](std::string_view line) { log(Severity::warning, line); });
}

// A gateway takes and gives back blocks of a prompt's size all day. As it comes, glibc returns each of them to the system and
// faults its pages in again for the next one: a third of the cost of a 1 MiB prompt. So bodies up to 8 MiB come from the heap,
// and up to 64 MiB of it (for each thread) are kept.
void keep_freed_memory() {
  ::mallopt(M_MMAP_THRESHOLD, 8 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 64 << 20);
  ::mallopt(M_MXFAST, 0);  // no fast bins: they are merged again whenever a large block is freed
}

net::Task<void> shut_down(gateway::Gateway& gateway, admin::AdminApi& admin) {
  co_await gateway.drain();
  admin.abort_all();
  co_await admin.drain();
  gateway.control().stop();
}

// Files are looked at once a second, in real time.
net::Task<void> watch_files(Reloader& reloader, gateway::Gateway& gateway, net::Signal& signal) {
  net::Deadline deadline(signal);
  while (!gateway.draining()) {
    deadline.arm(std::chrono::seconds(1));
    while (!deadline.expired() && !gateway.draining()) co_await signal.wait();
    if (gateway.draining()) break;
    if (reloader.files_changed()) reloader.reload("a file has changed");
  }
}

int run(const Options& options) {
  const config::Loaded loaded = load_configuration(options.file, flag_values(options));
  if (!loaded.ok()) return 2;
  const config::Config& config = loaded.config;
  if (config.backends.empty()) {
    fmt::print(
        stderr,
        "no backends; name a model server with --backend URL or under `backends` in the file\n");
    return 2;
  }
  const Log log = [level = config.log.level](Severity severity, std::string_view line) {
    // The levels are the severities, and `off` above them.
    if (static_cast<int>(severity) >= static_cast<int>(level)) fmt::print(stderr, "{}\n", line);
  };
  const auto fail_with = [](int status, const Error& error) {
    fmt::print(stderr, "{}\n", error.message);
    return status;
  };
  const auto rules = rules_of(config);
  if (!rules) return fail_with(2, rules.error());
  keep_freed_memory();
  const ScaledClock clock(config.speed);
  net::Reactor control;
  net::Gate gate(control);
  // Before any other thread, the access log's included: a thread without the mask would die of the signal, and all with it.
  std::function<void(int)> end;
  std::function<void()> hangup;
  const Termination termination(
      control, [&end](int count) { end(count); }, [&hangup] { hangup(); });
  auto access_log = open_access_log(config.access_log);
  if (!access_log) return fail_with(1, access_log.error());
  auto recorder = open_recorder(config.journal, clock.now(), log);
  if (!recorder) return fail_with(1, recorder.error());
  gateway::Settings settings = gateway_settings(config);
  settings.routes = rules->routes;
  settings.tenants = rules->tenants;
  gateway::Gateway gateway(control, clock, std::move(settings), access_log->get(), recorder->get(),
                           log);
  Reloader reloader(gateway, options.file, flag_values(options), loaded, log);
  hangup = [&reloader] { reloader.reload("SIGHUP"); };
  admin::AdminApi admin(gateway,
                        [&reloader](std::string_view why) { return reloader.reload(why); });
  net::Signal file_watch(control);
  end = [&](int count) {
    if (count == 1) {
      control.spawn(gate, shut_down(gateway, admin));
      file_watch.notify();
    } else {
      gateway.abort();
    }
  };
  const auto admin_at = net::Address::parse(config.admin);
  if (!admin_at) return fail_with(2, admin_at.error());
  const auto admin_bound = admin.listen(*admin_at);
  if (!admin_bound) return fail_with(1, admin_bound.error());
  if (const auto started = gateway.start(); !started) return fail_with(1, started.error());
  control.spawn(gate, watch_files(reloader, gateway, file_watch));
  fmt::print(stderr, "ready listen={} admin={}\n", gateway.address().to_string(),
             admin_bound->to_string());
  control.run();
  return 0;
}

}  // namespace

void add_serve_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("serve", R"(The gateway.

Examples:
  turnpike serve --backend http://a:8000 --backend http://b:8000
  turnpike serve turnpike.yaml --access-log json

Flags win over the environment (TURNPIKE_LISTEN and so on), which wins over the file; turnpike config shows all keys.
Prints "ready listen=... admin=..." to stderr when it can be used. SIGTERM drains, a second one ends at once.)");
  command->add_option("FILE", options->file, "Configuration file");
  for (const KeyFlag& flag : kKeyFlags) {
    command->add_option(flag.flag, options->given[flag.flag], flag.help)->allow_extra_args(false);
  }
  command->get_option("--workers")->check(CLI::Range(1, 1024));
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
