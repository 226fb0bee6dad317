#include "app/simulate_command.h"

#include <algorithm>
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

#include "core/preset/preset.h"
#include "engine/profile.h"
#include "sim/median.h"
#include "sim/report.h"
#include "sim/simulation.h"
#include "sim/workload.h"

namespace turnpike::app {
namespace {

struct Options {
  std::string workload = "kthena-c40";
  std::vector<std::string> policies = {"session-boost"};
  std::string profile;
  std::string json;
  std::optional<std::uint32_t> replicas;
  std::optional<std::int64_t> kv_tokens;
  std::optional<std::uint32_t> max_num_seqs;
  std::optional<std::uint64_t> sessions;
  std::optional<std::uint32_t> concurrency;
  std::optional<double> rate;
  std::optional<double> duration_s;
  double rate_factor = 1;
  double lag_s = 0.1;
  double delay_ms = 0.5;
  int slots = 0;
  std::uint64_t seed = 1;
  std::uint32_t seeds = 1;
};

sim::Workload adapted(const Options& options) {
  sim::Workload workload = *sim::find_workload(options.workload);
  if (options.concurrency) {
    workload.concurrency = *options.concurrency;
    workload.rate = 0;
  }
  if (options.rate) {
    workload.rate = *options.rate;
    workload.concurrency = 0;
  }
  workload.rate *= options.rate_factor;
  if (options.sessions) {
    workload.sessions = *options.sessions;
    // So many sessions, however long they take.
    workload.duration = Duration(0);
    workload.warm_up = Duration(0);
  }
  if (options.duration_s) {
    workload.duration = from_seconds(*options.duration_s);
    workload.warm_up = options.sessions ? Duration(0) : workload.duration * 15 / 100;
  }
  if (options.replicas) workload.replicas = *options.replicas;
  if (!options.profile.empty()) workload.profile = engine::find_profile(options.profile)->name;
  if (options.kv_tokens) workload.kv_tokens = *options.kv_tokens;
  if (options.max_num_seqs) workload.max_num_seqs = *options.max_num_seqs;
  return workload;
}

std::vector<std::string> chosen_policies(const Options& options) {
  if (std::ranges::find(options.policies, "all") == options.policies.end()) return options.policies;
  const auto names = core::preset_names();
  return {names.begin(), names.end()};
}

// One line on a terminal, rewritten a few times a second; nothing in a pipe.
class Progress {
 public:
  void show(const sim::RunResult& what, const sim::Simulation& simulation) {
    const auto now = std::chrono::steady_clock::now();
    if (!terminal_ || now - shown_ < std::chrono::milliseconds(200)) return;
    const double seconds = std::chrono::duration<double>(now - shown_).count();
    const std::uint64_t events =
        simulation.events() - (simulation.events() < events_ ? 0 : events_);
    fmt::print(stderr, "\r{} {} seed {}: {:8.1f} s simulated, {:.2f} M events/s\x1b[K",
               what.workload, what.policy, what.seed, to_seconds(simulation.now()),
               static_cast<double>(events) / seconds * 1e-6);
    shown_ = now;
    events_ = simulation.events();
  }
  void clear() {
    if (terminal_) fmt::print(stderr, "\r\x1b[K");
  }

 private:
  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  std::chrono::steady_clock::time_point shown_ = std::chrono::steady_clock::now();
  std::uint64_t events_ = 0;
};

sim::RunResult simulate(const sim::SimulationParams& params, Progress& progress) {
  sim::RunResult what;
  what.workload = params.workload.name;
  what.policy = params.policy.policy;
  what.seed = params.seed;
  sim::Simulation simulation(params);
  constexpr std::uint64_t kEventsAtATime = 10'000;
  while (simulation.advance(kEventsAtATime)) progress.show(what, simulation);
  return simulation.run();
}

int run(const Options& options) {
  sim::ResultFile file{
      .command = "simulate",
      .version = TURNPIKE_VERSION,
      .seed = options.seed,
      .started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
      .runs = {},
      .by_seed = {}};
  sim::SimulationParams params;
  params.workload = adapted(options);
  params.network_delay = from_seconds(options.delay_ms * 1e-3);
  params.lag = from_seconds(options.lag_s);
  params.told_slots = options.slots;
  Progress progress;
  for (const std::string& policy : chosen_policies(options)) {
    params.policy = *core::preset(policy);
    std::vector<sim::RunResult> runs;
    for (std::uint32_t i = 0; i < options.seeds; ++i) {
      params.seed = options.seed + i;
      runs.push_back(simulate(params, progress));
    }
    file.runs.push_back(sim::median_of(runs));
    if (options.seeds > 1) file.by_seed.insert(file.by_seed.end(), runs.begin(), runs.end());
  }
  progress.clear();
  fmt::print("{}", sim::table(file.runs));
  if (options.json.empty()) return 0;
  std::ofstream out(options.json);
  out << sim::to_json(file).dump(2) << '\n';
  out.close();
  if (out) return 0;
  fmt::print(stderr, "turnpike simulate: cannot write {}\n", options.json);
  return 1;
}

}  // namespace

void add_simulate_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand(
      "simulate", R"(Policies side by side, in simulated time and without a socket.

Examples:
  turnpike simulate --workload kthena-c40 --policy resident-set,session-boost,least-request
  turnpike simulate --workload agents-closed --policy all --seeds 5 --json out.json
  turnpike simulate --workload mixed --rate-factor 1.5 --replicas 8 --lag 2

Prints a line of figures for each policy: the gateway's own policy core in front of a model of the
engine. The same seed gives the same figures. A failed request counts in every distribution as the
slowest one that finished, or its own time if longer.)");
  std::vector<std::string> names;
  std::string list = "Workloads:";
  for (const sim::Workload& workload : sim::workloads()) {
    names.push_back(workload.name);
    list += fmt::format("\n  {:<16} {}", workload.name, workload.about);
  }
  std::vector<std::string> policies = {"all"};
  for (const std::string_view name : core::preset_names()) policies.emplace_back(name);
  command->footer(list + fmt::format("\nPolicies:\n  {}", fmt::join(policies, ", ")));
  std::vector<std::string> profiles;
  for (const engine::Profile& profile : engine::profiles()) profiles.emplace_back(profile.name);

  command->add_option("--workload", options->workload, "Who asks for what, and the fleet for it")
      ->check(CLI::IsMember(names))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--policy", options->policies, "One or more, with commas; or all")
      ->delimiter(',')
      ->check(CLI::IsMember(policies))
      ->type_name("NAME,...")
      ->capture_default_str();
  command->add_option("--replicas", options->replicas, "Default: the workload's, as those below")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--profile", options->profile, "What a replica's steps cost")
      ->check(CLI::IsMember(profiles))
      ->type_name("NAME");
  command->add_option("--kv-tokens", options->kv_tokens, "KV cache of a replica")
      ->check(CLI::Range(16LL, 1'000'000'000LL));
  command->add_option("--max-num-seqs", options->max_num_seqs, "Requests a replica runs at once")
      ->check(CLI::Range(1, 100'000));
  command
      ->add_option("--sessions", options->sessions,
                   "Sessions in all; the workload's duration is then ignored")
      ->check(CLI::PositiveNumber);
  auto* const concurrency =
      command->add_option("--concurrency", options->concurrency, "Closed loop: sessions at a time")
          ->check(CLI::Range(1, 1'000'000));
  command->add_option("--rate", options->rate, "Open loop: new sessions per second")
      ->check(CLI::Range(1e-6, 1e6))
      ->excludes(concurrency);
  command->add_option("--rate-factor", options->rate_factor, "Open loop: times the rate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--duration", options->duration_s,
                   "Seconds; the first 15 % are not reported unless --sessions is given")
      ->check(CLI::Range(0.001, 1e8));
  command->add_option("--lag", options->lag_s, "Seconds that gauges are old when they are scraped")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("--network-delay", options->delay_ms, "Milliseconds to an engine, each way")
      ->check(CLI::Range(0.0, 60'000.0))
      ->capture_default_str();
  command
      ->add_option("--slots", options->slots,
                   "What the gateway is told that a replica runs at once; 0: it learns it")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "The first seed")->capture_default_str();
  command->add_option("--seeds", options->seeds, "Runs with so many seeds; prints the medians")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--json", options->json, "Where to write the result file");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
