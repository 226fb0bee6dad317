#include "app/engine/engine_command.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "app/engine/replica_server.h"
#include "app/termination.h"
#include "base/clock.h"
#include "engine/profile.h"
#include "net/reactor.h"

namespace turnpike::app {
namespace {

struct Options {
  std::string listen = "127.0.0.1:8000";
  std::string model = "tiny";
  std::string profile = "llama-8b-h100";
  std::int64_t kv_tokens = 0;
  std::int64_t max_model_len = 0;
  std::uint32_t max_num_seqs = 256;
  std::int64_t max_num_batched_tokens = 2048;
  std::uint32_t max_queued = 0;
  std::uint32_t replicas = 1;
  double speed = 1;
};

using Servers = std::vector<std::unique_ptr<ReplicaServer>>;

net::Task<void> drain_all(net::Reactor& reactor, Servers& servers) {
  for (const auto& server : servers) co_await server->drain();
  reactor.stop();
}

// The addresses listened on: one port after the other, or as the system chooses for port 0.
Expected<std::string> listen_all(const Options& options, Servers& servers) {
  auto address = net::Address::parse(options.listen);
  if (!address) return std::unexpected(address.error());
  const std::uint16_t first = address->port();
  std::string all;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    if (first != 0) {
      if (first + i > 65'535) return fail("the last replica's port would be above 65535");
      address->set_port(static_cast<std::uint16_t>(first + i));
    }
    const auto bound = servers[i]->listen(*address);
    if (!bound) return std::unexpected(bound.error());
    if (!all.empty()) all += ',';
    all += bound->to_string();
  }
  return all;
}

int run(const Options& options) {
  ReplicaServerParams params;
  params.engine = {.profile = *engine::find_profile(options.profile),
                   .kv_tokens = TokenCount(options.kv_tokens),
                   .max_num_seqs = options.max_num_seqs,
                   .max_num_batched_tokens = options.max_num_batched_tokens};
  params.model = options.model;
  params.max_model_len = TokenCount(options.max_model_len);
  params.max_queued = options.max_queued;

  const ScaledClock clock(options.speed);
  net::Reactor reactor;
  net::Gate gate(reactor);
  Servers servers;
  for (std::uint32_t i = 0; i < options.replicas; ++i) {
    servers.push_back(std::make_unique<ReplicaServer>(reactor, clock, params));
  }
  const Termination termination(reactor, [&](int count) {
    if (count == 1) {
      reactor.spawn(gate, drain_all(reactor, servers));
    } else {
      for (const auto& server : servers) server->abort_all();
    }
  });
  const auto listening = listen_all(options, servers);
  if (!listening) {
    fmt::print(stderr, "turnpike engine: {}\n", listening.error().message);
    return 1;
  }
  fmt::print(stderr, "ready listen={}\n", *listening);
  reactor.run();
  return 0;
}

}  // namespace

void add_engine_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("engine", R"(A simulated model server.

Examples:
  turnpike engine --listen 127.0.0.1:8000
  turnpike engine --replicas 3 --profile kthena-table --kv-tokens 150000 --speed 20
  curl -X POST localhost:8000/admin/faults -d '{"kind":"status","status":503,"count":1}'

Speaks vLLM's dialect: chat and text completions, models, metrics. A model of vLLM's scheduler and
prefix cache decides when tokens come. Prints "ready listen=..." to stderr when it can be used.)");
  std::vector<std::string> names;
  for (const engine::Profile& profile : engine::profiles()) names.emplace_back(profile.name);

  command
      ->add_option("--listen", options->listen,
                   "Address of the first replica; port 0: any free one")
      ->capture_default_str();
  command->add_option("--replicas", options->replicas, "Replicas, on consecutive ports")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--model", options->model, "The model's name")->capture_default_str();
  command->add_option("--profile", options->profile, "What a step costs")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command
      ->add_option("--kv-tokens", options->kv_tokens,
                   "Tokens in a replica's KV cache; 0: the profile's")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1'000'000'000}))
      ->capture_default_str();
  command
      ->add_option("--max-model-len", options->max_model_len,
                   "Longest prompt and answer together, in tokens; 0: what the KV cache holds")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command->add_option("--max-num-seqs", options->max_num_seqs, "Most requests that run at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  command
      ->add_option("--max-num-batched-tokens", options->max_num_batched_tokens,
                   "Most tokens that one step computes")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command
      ->add_option("--max-num-queued-reqs", options->max_queued,
                   "Waiting requests beyond which the answer is 503; 0: no bound")
      ->capture_default_str();
  command->add_option("--speed", options->speed, "Simulated seconds per real second")
      ->check(CLI::Range(0.001, 10'000.0))
      ->capture_default_str();
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
