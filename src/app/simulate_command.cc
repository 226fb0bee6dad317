#include "app/simulate_command.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include "app/simulate_plan.h"
#include "core/preset/preset.h"
#include "engine/profile.h"
#include "sim/batch.h"
#include "sim/compare.h"
#include "sim/html_report.h"
#include "sim/median.h"
#include "sim/report.h"
#include "sim/workload.h"

namespace turnpike::app {
namespace {

using Options = SimulateOptions;

// One line on a terminal, rewritten a few times a second, and what it came to at the end; nothing in a pipe.
class Progress {
 public:
  explicit Progress(std::size_t runs) : runs_(runs) {}

  void show(const sim::BatchProgress& progress) {
    if (!terminal_) return;
    const Clock::time_point now = Clock::now();
    const double simulated_s = static_cast<double>(progress.simulated_ns) * 1e-9;
    const std::uint64_t events = progress.events;
    const bool over = progress.done == runs_;
    // Of the time since it was shown last; in the end of all.
    const Clock::time_point since = over ? began_ : shown_;
    const double seconds = std::max(1e-9, std::chrono::duration<double>(now - since).count());
    const auto counted = static_cast<double>(over ? events : events - events_);
    fmt::print(stderr, "\r{} of {} runs, {:.0f} s simulated in {:.1f} s, {:.2f} M events/s\x1b[K{}",
               progress.done.load(), runs_, simulated_s,
               std::chrono::duration<double>(now - began_).count(), counted / seconds * 1e-6,
               over ? "\n" : "");
    shown_ = now;
    events_ = events;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::size_t runs_;
  bool terminal_ = ::isatty(STDERR_FILENO) != 0;
  Clock::time_point began_ = Clock::now();
  Clock::time_point shown_ = began_;
  std::uint64_t events_ = 0;
};

int complain(int exit_code, std::string_view what) {
  fmt::print(stderr, "turnpike simulate: {}\n", what);
  return exit_code;
}

bool write_file(const std::string& name, std::string_view text) {
  std::ofstream out(name);
  out << text;
  out.close();
  return static_cast<bool>(out);
}

std::optional<std::string> file_contents(const std::string& name) {
  std::ifstream in(name);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  if (!in) return std::nullopt;
  return text;
}

sim::ResultFile simulate(const Options& options, const SimulatePlan& plan) {
  sim::ResultFile file{
      .command = "simulate",
      .version = TURNPIKE_VERSION,
      .seed = options.seed,
      .started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))),
      .runs = {},
      .by_seed = {}};
  std::vector<sim::SimulationParams> runs;
  for (const PlannedRow& row : plan.rows) {
    for (std::uint32_t i = 0; i < options.seeds; ++i) {
      runs.push_back(row.params);
      runs.back().seed = options.seed + i;
    }
  }
  const unsigned threads =
      options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  Progress progress(runs.size());
  std::vector<sim::RunResult> results =
      sim::run_all(runs, threads, [&](const sim::BatchProgress& now) { progress.show(now); });
  for (std::size_t i = 0; i < plan.rows.size(); ++i) {
    const auto first = results.begin() + static_cast<std::ptrdiff_t>(i * options.seeds);
    for (auto run = first; run != first + options.seeds; ++run) run->sweep = plan.rows[i].sweep;
    file.runs.push_back(sim::median_of({first, first + options.seeds}));
  }
  if (options.seeds > 1) file.by_seed = std::move(results);
  return file;
}

int run(const Options& options) {
  // What is to be compared with is read first: a wrong name is not found out after minutes.
  std::optional<nlohmann::ordered_json> before;
  if (!options.compare.empty()) {
    const auto text = file_contents(options.compare);
    if (!text) return complain(2, fmt::format("cannot read {}", options.compare));
    before = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (const auto wrong = sim::not_a_result_file(*before); !wrong.empty()) {
      return complain(2, fmt::format("{}: {}", options.compare, wrong));
    }
  }
  const auto plan = plan_of(options);
  if (!plan) return complain(2, plan.error().message);
  for (const std::string& remark : plan->remarks) fmt::print(stderr, "{}\n", remark);
  if (plan->rows.empty()) return complain(1, "nothing is left to simulate");
  const sim::ResultFile file = simulate(options, *plan);
  fmt::print("{}", sim::table(file.runs));
  const auto json = sim::to_json(file);
  if (before) fmt::print("\n{}", sim::comparison(*before, json));
  if (!options.json.empty() && !write_file(options.json, json.dump(2) + '\n')) {
    return complain(1, fmt::format("cannot write {}", options.json));
  }
  if (!options.html.empty() && !write_file(options.html, sim::html_report(file))) {
    return complain(1, fmt::format("cannot write {}", options.html));
  }
  return 0;
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
  turnpike simulate --workload mixed --policy resident-set --html report.html --compare old.json
  turnpike simulate --trace conversation.jsonl.gz --policy resident-set,sticky --rate-factor 2
  turnpike simulate --sweep lag,gateways --policy resident-set,session-boost --html sweep.html

Prints a line of figures for each policy: the gateway's own policy core in front of a model of the
engine. The same seed gives the same figures. A failed request counts in every distribution as the
slowest one that finished, or its own time if longer.)");
  std::vector<std::string> policies = {"all"};
  for (const std::string_view name : core::preset_names()) policies.emplace_back(name);
  std::string sweep_list = "\nSweeps:";
  for (const Sweep& sweep : sweeps()) {
    sweep_list += fmt::format("\n  {:<24} {}", sweep.name, sweep.about);
  }
  command->footer(workload_list() + sweep_list +
                  fmt::format("\nPolicies:\n  {}", fmt::join(policies, ", ")));
  std::vector<std::string> workloads = workload_names();
  workloads.emplace_back("all");

  auto* const workload_option =
      command
          ->add_option("--workload", options->workloads,
                       "Who asks for what, and the fleet for it: one or more, with commas; or all")
          ->delimiter(',')
          ->check(CLI::IsMember(workloads))
          ->type_name("NAME,...")
          ->default_str("kthena-c40");
  command->add_option("--policy", options->policies, "One or more, with commas; or all")
      ->delimiter(',')
      ->check(CLI::IsMember(policies))
      ->type_name("NAME,...")
      ->capture_default_str();
  options->recording.add_to(*command, workload_option);
  command
      ->add_option("--trace-dir", options->trace_dir,
                   "Where the recordings for the workloads coding and mooncake are")
      ->check(CLI::ExistingDirectory);
  std::vector<std::string> sweep_names = {"all"};
  for (const Sweep& sweep : sweeps()) sweep_names.emplace_back(sweep.name);
  command
      ->add_option("--sweep", options->sweeps,
                   "Change one condition step by step: one or more, with commas; or all")
      ->delimiter(',')
      ->check(CLI::IsMember(sweep_names))
      ->type_name("NAME,...");
  command->add_option("--replicas", options->replicas, "Default: the workload's, as those below")
      ->check(CLI::Range(1, 10'000));
  command->add_option("--profile", options->profile, "What a replica's steps cost")
      ->check(CLI::IsMember(profile_names()))
      ->type_name("NAME");
  command->add_option("--kv-tokens", options->kv_tokens, "KV cache of a replica")
      ->check(CLI::Range(16LL, 1'000'000'000LL));
  command->add_option("--max-num-seqs", options->max_num_seqs, "Requests a replica runs at once")
      ->check(CLI::Range(1, 100'000));
  options->add_to(*command);
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
  command
      ->add_option("--seeds", options->seeds,
                   "Runs with so many seeds from --seed on; prints the medians")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--estimate-error", options->estimate_error,
                   "The gateway's guess at a prompt's length is wrong by up to this share")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "Runs at a time; 0: one for each core")
      ->check(CLI::Range(0U, 1024U))
      ->capture_default_str();
  command->add_option("--html", options->html,
                      "Where to write a report with plots, one file that needs no network");
  command->add_option("--compare", options->compare,
                      "A result file: say what has changed since, and by how much");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
