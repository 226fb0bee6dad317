#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/pool/pool_bench_support.h"

// What one request costs the policy's owner: submission, dispatch and settlement together.
namespace turnpike::core {
namespace {

constexpr int kRunningPerEndpoint = 16;
constexpr int kIterations = 20'000;

Submission request(std::uint64_t id, std::uint64_t session, ModelId model) {
  return {.id = RequestId(id),
          .model = model,
          .session = SessionKey(session),
          .tenant = TenantKey(session % 50),
          .prompt_tokens = TokenCount(2000),
          .body_bytes = ByteCount(8000),
          .streaming = true};
}

// A pool with all slots taken and `queued` requests waiting, from `sessions` sessions. Every step settles one request, which
// dispatches another, and submits a new one.
void saturated(benchmark::State& state) {
  PoolParams params = without_bounds({});
  params.admission.rule = AdmissionRule::inflight;
  params.admission.limit = kRunningPerEndpoint;
  const auto queued = static_cast<std::uint64_t>(state.range(0));
  const auto endpoints = static_cast<std::uint32_t>(state.range(1));
  const auto sessions = static_cast<std::uint64_t>(state.range(2));

  FullPool full(params, endpoints);
  std::uint64_t id = 0;
  for (; id < queued + endpoints * kRunningPerEndpoint; ++id)
    full.submit(request(id, full.random.below(sessions), ModelId(1)));
  for (auto _ : state) {
    full.now += std::chrono::microseconds(100);
    full.settle_one();
    full.submit(request(++id, full.random.below(sessions), ModelId(1)));
    benchmark::DoNotOptimize(full.pool.next_deadline());
  }
  state.counters["queued"] = static_cast<double>(full.pool.view(full.now).queued);
}
BENCHMARK(saturated)
    ->ArgNames({"queued", "endpoints", "sessions"})
    ->Args({0, 100, 10'000})
    ->Args({1'000, 100, 10'000})
    ->Args({10'000, 100, 10'000})
    ->Args({10'000, 1'000, 10'000})
    ->Args({10'000, 100, 1'000'000});

// Another model's requests wait for endpoints that are full; this one's endpoint is idle.
void beside_a_saturated_model(benchmark::State& state) {
  PoolParams params = without_bounds({});
  params.admission.rule = AdmissionRule::inflight;
  params.admission.limit = 1;
  Pool pool(params);
  TimePoint now{};
  pool.add_endpoint({.id = EndpointId(1), .name = "full", .models = {ModelId(1)}}, now);
  pool.add_endpoint({.id = EndpointId(2), .name = "idle", .models = {ModelId(2)}}, now);
  std::uint64_t id = 0;
  for (; id < static_cast<std::uint64_t>(state.range(0)) + 1; ++id) {
    pool.submit(request(id, id, ModelId(1)), now);
  }
  for (auto _ : state) {
    now += std::chrono::microseconds(100);
    ++id;
    pool.submit(request(id, id % 100, ModelId(2)), now);
    pool.settle(RequestId(id), {}, now);
    benchmark::DoNotOptimize(pool.take_decisions());
  }
}
BENCHMARK(beside_a_saturated_model)->ArgName("queued")->Arg(0)->Arg(10'000);

// Nothing waits: every endpoint is a candidate for every request.
void idle(benchmark::State& state) {
  FullPool all({}, static_cast<std::uint32_t>(state.range(0)));
  std::uint64_t id = 0;
  for (auto _ : state) {
    all.now += std::chrono::microseconds(100);
    ++id;
    all.pool.submit(request(id, id % 1000, ModelId(1)), all.now);
    all.pool.first_token(RequestId(id), all.now);
    all.pool.settle(RequestId(id), {}, all.now);
    benchmark::DoNotOptimize(all.pool.take_decisions());
  }
}
BENCHMARK(idle)->ArgName("endpoints")->Arg(1)->Arg(10)->Arg(100)->Arg(1'000);

// Every preset under a load that it cannot take: 10 000 requests wait (where it lets any wait), 1000 endpoints are full, a million
// sessions are remembered. `blocks`: of the prompts' fingerprints, the first four the same for all; 0: none are sent.
void every_preset(benchmark::State& state, std::string_view name, std::uint32_t endpoints,
                  std::uint64_t queued, std::uint64_t sessions, std::size_t blocks) {
  constexpr TokenCount kPrompt(20'000);
  PoolParams params = without_bounds(*preset(name));
  params.retry = {};
  FullPool pools(params, endpoints, TokenCount(300'000));
  std::uint64_t id = 0;
  const auto submission = [&](std::uint64_t session) {
    Submission made = request(++id, session + 1, ModelId(1));
    made.prompt_tokens = kPrompt;
    for (std::uint64_t i = 0; i < blocks; ++i)
      made.blocks.push_back(mix64(i < 4 ? i : session * 1000 + i));
    return made;
  };
  const Settlement done{.usage = {.prompt_tokens = kPrompt, .output_tokens = TokenCount(200)}};
  for (std::uint64_t s = 0; s < sessions; ++s) {
    pools.now += std::chrono::microseconds(10);
    Submission first = submission(s);
    first.prompt_tokens = TokenCount(100);
    pools.submit(first);
    pools.settle_all(done);
  }
  pools.now += std::chrono::minutes(5);
  pools.pool.advance(pools.now);
  const auto full = [&] {
    return params.admission.rule == AdmissionRule::none
               ? pools.running.size() >= std::size_t{endpoints} * kRunningPerEndpoint
               : pools.pool.view(pools.now).queued >= queued;
  };
  for (std::uint64_t n = 0; n % 100 != 0 || !full(); ++n)
    pools.submit(submission(pools.random.below(sessions)));
  // Making a request is the driver's affair.
  std::vector<Submission> prepared;
  for (int i = 0; i < kIterations; ++i)
    prepared.push_back(submission(pools.random.below(sessions)));
  std::size_t next = 0;
  for (auto _ : state) {
    // So much that places which are kept for sessions that do not return are given up meanwhile.
    pools.now += std::chrono::milliseconds(5);
    if (pools.running.empty()) return state.SkipWithError("nothing runs");
    pools.settle_one(done);
    pools.submit(prepared[next++]);
    if (const auto deadline = pools.pool.next_deadline(); deadline && *deadline <= pools.now)
      pools.pool.advance(pools.now);
  }
  state.counters["queued"] = static_cast<double>(pools.pool.view(pools.now).queued);
  state.counters["running"] = static_cast<double>(pools.running.size());
}

// Registered when the program starts, one for each name.
const bool registered = [] {
  for (const std::string_view name : preset_names()) {
    for (const auto& [endpoints, queued, sessions, blocks] :
         {std::tuple(1'000U, 1'000U, 10'000U, 0U), std::tuple(1'000U, 10'000U, 1'000'000U, 0U),
          std::tuple(1'000U, 10'000U, 10'000U, 20U)}) {
      const std::string title =
          "preset/" + std::string(name) + "/endpoints:" + std::to_string(endpoints) +
          "/queued:" + std::to_string(queued) + "/sessions:" + std::to_string(sessions) +
          "/blocks:" + std::to_string(blocks);
      benchmark::RegisterBenchmark(title.c_str(), [=](benchmark::State& state) {
        every_preset(state, name, endpoints, queued, sessions, blocks);
      })->Iterations(kIterations);
    }
  }
  return true;
}();

}  // namespace
}  // namespace turnpike::core
