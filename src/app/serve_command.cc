#include "app/serve_command.h"

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "admin/admin_api.h"
#include "app/termination.h"
#include "base/clock.h"
#include "gateway/gateway.h"

namespace turnpike::app {
namespace {

struct Options {
  std::vector<std::string> backends;
  std::string listen = "127.0.0.1:8080";
  std::string admin = "127.0.0.1:9901";
  std::string policy = "session-boost";
  std::vector<std::string> session_headers;
  int workers = 0;
  double speed = 1;
};

net::Task<void> shut_down(gateway::Gateway& gateway, admin::AdminApi& admin) {
  co_await gateway.drain();
  admin.abort_all();
  co_await admin.drain();
  gateway.control().stop();
}

int run(const Options& options) {
  gateway::Settings settings;
  settings.listen = options.listen;
  settings.pool = *core::preset(options.policy);
  settings.workers = options.workers > 0 ? options.workers
                                         : std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - 1);
  for (const auto& url : options.backends) {
    settings.backends.push_back({.url = url, .name = fmt::format("backend-{}", settings.backends.size() + 1)});
  }
  if (!options.session_headers.empty()) settings.sessions.headers = options.session_headers;
  const ScaledClock clock(options.speed);
  net::Reactor control;
  net::Gate gate(control);
  const auto log = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
  gateway::Gateway gateway(control, clock, settings, nullptr, log);
  admin::AdminApi admin(gateway);
  const Termination termination(control, [&](int count) {
    if (count == 1) {
      control.spawn(gate, shut_down(gateway, admin));
    } else {
      gateway.abort();
    }
  });
  const auto admin_at = net::Address::parse(options.admin);
  if (!admin_at) {
    log(admin_at.error().message);
    return 2;
  }
  const auto admin_bound = admin.listen(*admin_at);
  if (!admin_bound) {
    log(admin_bound.error().message);
    return 1;
  }
  if (const auto started = gateway.start(); !started) {
    log(started.error().message);
    return 1;
  }
  fmt::print(stderr, "ready listen={} admin={}\n", gateway.address().to_string(), admin_bound->to_string());
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

Prints "ready listen=... admin=..." to stderr when it can be used.)");
  command->add_option("--backend", options->backends, "A model server's URL (repeatable)");
  command->add_option("--listen", options->listen, "Where clients connect")->capture_default_str();
  command->add_option("--admin", options->admin, "Where the admin API listens")->capture_default_str();
  command->add_option("--policy", options->policy, "Preset");
  command->add_option("--session-header", options->session_headers, "Header that names the session");
  command->add_option("--workers", options->workers, "I/O threads; 0: one less than the cores")->capture_default_str();
  command->add_option("--speed", options->speed, "Policy seconds per real second")->capture_default_str();
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
