#include "app/load/load_command.h"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "app/load/gateway_cpu.h"
#include "app/load/load_run.h"
#include "app/termination.h"
#include "app/trace_workload.h"
#include "app/workload_options.h"
#include "base/clock.h"
#include "net/http_client.h"
#include "net/reactor.h"
#include "sim/report.h"
#include "sim/workload.h"

namespace turnpike::app {
namespace {

struct Options : WorkloadOptions {
  TraceOptions recording;
  std::string target;
  std::string admin;
  std::string model;
  std::string session_header = "X-Session-ID";
  std::string label = "-";
  double speed = 1;
};

// Those that a conversation over sockets can be made of.
std::vector<std::string> socket_workload_names() {
  std::vector<std::string> names;
  for (const sim::Workload& workload : sim::workloads()) {
    if (workload.trace_prefix.empty()) names.push_back(workload.name);
  }
  return names;
}

// The first model that the target serves; also finds out whether anybody is there.
net::Task<Expected<std::string>> first_model(net::Reactor& reactor, const LoadParams& params) {
  net::HttpClient client(reactor, params.address, params.authority);
  const std::string target = params.base_path + "/v1/models";
  const auto answer = co_await client.request({.target = target}, {});
  if (!answer) co_return fail(answer.error().message);
  const auto models = nlohmann::json::parse(answer->body, nullptr, /*allow_exceptions=*/false);
  const auto id = nlohmann::json::json_pointer("/data/0/id");
  if (answer->status != 200 || !models.is_object() || !models.contains(id) ||
      !models[id].is_string()) {
    co_return std::string();
  }
  co_return models[id].get<std::string>();
}

// One line on a terminal, rewritten every half second; nothing in a pipe.
net::Task<void> show_progress(net::Reactor& reactor, const LoadRun& run, const bool& over) {
  if (::isatty(STDERR_FILENO) == 0) co_return;
  while (!over) {
    const LoadProgress& p = run.progress();
    const double seconds = to_seconds(run.elapsed());
    fmt::print(stderr,
               "\r{:8.1f} s  sessions {} of {} ended  requests {} running, {} finished, {} lost  "
               "{:.0f} tok/s   ",
               seconds, p.sessions_ended, p.sessions_started, p.requests_running,
               p.requests_finished, p.requests_lost,
               seconds > 0 ? static_cast<double>(p.output_tokens) / seconds : 0.0);
    co_await reactor.sleep(std::chrono::milliseconds(500));
  }
  fmt::print(stderr, "\r\x1b[K");
}

// A server by its URL.
struct Server {
  net::HttpUrl url;
  net::Address address;
};
Expected<Server> server_of(const std::string& url) {
  const auto parsed = net::HttpUrl::parse(url);
  if (!parsed) return std::unexpected(parsed.error());
  const auto addresses = net::Address::resolve(parsed->host, parsed->port);
  if (!addresses) return std::unexpected(addresses.error());
  return Server{.url = *parsed, .address = addresses->front()};
}

// What the reactor's tasks share.
struct Session {
  const Options& options;
  net::Reactor reactor;
  net::Gate gate{reactor};
  ScaledClock clock;
  LoadParams params;
  std::unique_ptr<LoadRun> run;
  std::optional<Server> admin{};
  std::optional<double> gateway_cpu_us{};
  bool over = false;
  std::string error;
};

// Nothing, with a sentence, if there is nobody to ask.
net::Task<std::optional<double>> gateway_cpu(Session& session) {
  if (!session.admin) co_return std::nullopt;
  const auto seconds =
      co_await cpu_seconds(session.reactor, session.admin->address, session.admin->url.authority());
  if (seconds) co_return *seconds;
  fmt::print(stderr, "turnpike load: no CPU time of the gateway: {}\n", seconds.error().message);
  session.admin.reset();
  co_return std::nullopt;
}

net::Task<void> load(Session& session) {
  const auto model = co_await first_model(session.reactor, session.params);
  if (!model) {
    session.error = model.error().message;
  } else if (session.params.model.empty() && model->empty()) {
    session.error = "the target names no model: give one with --model";
  } else {
    if (session.params.model.empty()) session.params.model = *model;
    session.run = std::make_unique<LoadRun>(session.reactor, session.clock, session.params);
    net::Gate progress_gate(session.reactor);
    session.reactor.spawn(progress_gate,
                          show_progress(session.reactor, *session.run, session.over));
    const std::optional<double> before = co_await gateway_cpu(session);
    co_await session.run->run();
    session.over = true;
    co_await progress_gate.drained();
    const std::optional<double> after = co_await gateway_cpu(session);
    // All requests of the run, those before the warm-up was over among them.
    const std::uint64_t requests =
        session.run->progress().requests_finished + session.run->progress().requests_lost;
    if (before && after && requests > 0) {
      session.gateway_cpu_us = (*after - *before) * 1e6 / static_cast<double>(requests);
    }
  }
  session.reactor.stop();
}

std::string now_rfc3339() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

int complain(std::string_view what) {
  fmt::print(stderr, "turnpike load: {}\n", what);
  return 1;
}

int report(const Session& session, const std::string& started) {
  const Options& options = session.options;
  const LoadRun& run = *session.run;
  sim::RunResult result = run.result();
  result.policy = options.label;
  result.gateway_cpu_us = session.gateway_cpu_us;
  fmt::print("{}", sim::table({result}));
  if (result.gateway_cpu_us) {
    fmt::print("gateway CPU: {:.0f} us a request\n", *result.gateway_cpu_us);
  }
  if (!run.first_error().empty()) {
    fmt::print(stderr, "turnpike load: the first lost request: {}\n", run.first_error());
  }
  const bool nothing = result.requests.finished == 0;
  if (!options.json.empty()) {
    const sim::ResultFile file{.command = "load",
                               .version = TURNPIKE_VERSION,
                               .seed = options.seed,
                               .started = started,
                               .runs = {std::move(result)}};
    std::ofstream out(options.json);
    out << sim::to_json(file).dump(2) << '\n';
    out.close();
    if (!out) return complain(fmt::format("cannot write {}", options.json));
  }
  return nothing ? complain("no request was finished") : 0;
}

int run(const Options& options) {
  std::vector<std::string> remarks;
  Expected<sim::Workload> base = options.recording.trace.empty()
                                     ? *sim::find_workload(options.workload)
                                     : trace_workload(options.recording, remarks);
  if (!base) {
    complain(base.error().message);
    return 2;
  }
  for (const std::string& remark : remarks) fmt::print(stderr, "{}\n", remark);
  const sim::Workload workload = options.changed(*base);
  const auto target = server_of(options.target);
  if (!target) {
    complain(target.error().message);
    return 2;
  }
  Session session{.options = options,
                  .reactor = {},
                  .clock = ScaledClock(options.speed),
                  .params = {},
                  .run = {},
                  .error = {}};
  if (!options.admin.empty()) {
    const auto admin = server_of(options.admin);
    if (!admin) {
      complain(admin.error().message);
      return 2;
    }
    session.admin = *admin;
  }
  const std::string& path = target->url.path;
  session.params = {.address = target->address,
                    .authority = target->url.authority(),
                    .base_path = path.ends_with("/v1") ? path.substr(0, path.size() - 3) : path,
                    .model = options.model,
                    .session_header = options.session_header,
                    .workload = workload,
                    .seed = options.seed,
                    .profile = *engine::find_profile(options.profile.empty() ? workload.profile
                                                                             : options.profile)};
  const std::string started = now_rfc3339();
  const Termination termination(session.reactor, [&](int count) {
    if (session.run && count == 1) {
      session.run->stop();
    } else {
      session.error = "ended by a signal";
      session.reactor.stop();
    }
  });
  session.reactor.spawn(session.gate, load(session));
  session.reactor.run();
  if (!session.error.empty()) return complain(session.error);
  return report(session, started);
}

}  // namespace

void add_load_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("load", R"(Multi-turn load on an OpenAI-compatible server.

Examples:
  turnpike load --target http://127.0.0.1:8080 --workload kthena-c40
  turnpike load --target http://127.0.0.1:8080 --workload agents-small --duration 300 --speed 10 --json out.json
  turnpike load --target http://127.0.0.1:8080 --workload mixed --rate 1.5 --sessions 200
  turnpike load --target http://127.0.0.1:8080 --trace sessions.jsonl.gz --speed 20 --admin http://127.0.0.1:9901

Prints one line of figures; all times are simulated seconds (real seconds times --speed). A failed
request counts in every distribution as the slowest one that finished, or its own time if longer.)");
  command->footer(workload_list());
  command->add_option("--target", options->target, "Where to, as http://host:port")->required();
  auto* const workload = command->add_option("--workload", options->workload, "Who asks for what")
                             ->check(CLI::IsMember(socket_workload_names()))
                             ->type_name("NAME")
                             ->capture_default_str();
  options->recording.add_to(*command, workload);
  options->add_to(*command);
  command
      ->add_option("--speed", options->speed,
                   "Simulated seconds per real second; the server's must be the same")
      ->check(CLI::Range(0.001, 10'000.0))
      ->capture_default_str();
  command->add_option("--model", options->model,
                      "The model to ask for; default: the first that the target lists");
  command
      ->add_option("--session-header", options->session_header,
                   "Names the session; empty: not sent")
      ->capture_default_str();
  command->add_option("--admin", options->admin,
                      "The gateway's admin API, as http://host:port: its CPU time a request is "
                      "reported, too");
  command->add_option("--label", options->label, "What to call the run's policy in the result")
      ->capture_default_str();
  command->add_option("--replicas", options->replicas,
                      "How many replicas to note in the result; default: the workload's");
  command
      ->add_option("--profile", options->profile,
                   "What slowdown is held against; default: the workload's")
      ->check(CLI::IsMember(profile_names()))
      ->type_name("NAME");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
