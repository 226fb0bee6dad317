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

#include "app/load/load_run.h"
#include "app/termination.h"
#include "app/workload_options.h"
#include "base/clock.h"
#include "net/http_client.h"
#include "net/reactor.h"
#include "sim/report.h"
#include "sim/workload.h"

namespace turnpike::app {
namespace {

struct Options : WorkloadOptions {
  std::string target;
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

// What the reactor's tasks share.
struct Session {
  const Options& options;
  net::Reactor reactor;
  net::Gate gate{reactor};
  ScaledClock clock;
  LoadParams params;
  std::unique_ptr<LoadRun> run;
  bool over = false;
  std::string error;
};

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
    co_await session.run->run();
    session.over = true;
    co_await progress_gate.drained();
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

int report(const Options& options, const std::string& started, const LoadRun& run) {
  sim::RunResult result = run.result();
  result.policy = options.label;
  fmt::print("{}", sim::table({result}));
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
  const auto url = net::HttpUrl::parse(options.target);
  if (!url) {
    complain(url.error().message);
    return 2;
  }
  const auto addresses = net::Address::resolve(url->host, url->port);
  if (!addresses) return complain(addresses.error().message);

  Session session{.options = options,
                  .reactor = {},
                  .clock = ScaledClock(options.speed),
                  .params = {},
                  .run = {},
                  .error = {}};
  const sim::Workload workload = options.changed(*sim::find_workload(options.workload));
  session.params = {
      .address = addresses->front(),
      .authority = url->authority(),
      .base_path =
          url->path.ends_with("/v1") ? url->path.substr(0, url->path.size() - 3) : url->path,
      .model = options.model,
      .session_header = workload.identified > 0 ? options.session_header : "",
      .workload = workload,
      .seed = options.seed,
      .profile =
          *engine::find_profile(options.profile.empty() ? workload.profile : options.profile)};
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
  return report(options, started, *session.run);
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

Prints one line of figures; all times are simulated seconds (real seconds times --speed). A failed
request counts in every distribution as the slowest one that finished, or its own time if longer.)");
  command->footer(workload_list());
  command->add_option("--target", options->target, "Where to, as http://host:port")->required();
  command->add_option("--workload", options->workload, "Who asks for what")
      ->check(CLI::IsMember(socket_workload_names()))
      ->type_name("NAME")
      ->capture_default_str();
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
