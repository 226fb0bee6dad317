#include "sim/simulation.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report.h"
#include "sim/unloaded.h"

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

SimulationParams params_of(std::string_view workload, std::string_view policy,
                           std::uint64_t seed = 1) {
  SimulationParams params;
  params.workload = *find_workload(workload);
  params.policy = *core::preset(policy);
  params.seed = seed;
  return params;
}

Workload shortened(std::string_view name, Duration duration) {
  Workload workload = *find_workload(name);
  workload.duration = duration;
  workload.warm_up = Duration(0);
  return workload;
}

RunResult simulate(const SimulationParams& params) {
  return Simulation(params).run();
}

TEST(Simulation, TheSameSeedGivesTheSameResult) {
  for (const char* const workload : {"agents-closed", "mixed"}) {
    SimulationParams params = params_of(workload, "resident-set", 7);
    params.workload = shortened(workload, seconds(60));
    const std::string once = to_json(simulate(params)).dump();
    EXPECT_EQ(once, to_json(simulate(params)).dump()) << workload;
    params.seed = 8;
    EXPECT_NE(once, to_json(simulate(params)).dump()) << workload;
  }
}

// Every policy under overload, cut off in the middle: each request has ended once, and nothing is left in any account.
TEST(Simulation, EveryRequestEndsOnceAndTheBooksAreEmptyAtTheEnd) {
  for (const std::string_view policy : core::preset_names()) {
    for (const char* const workload : {"agents-closed", "over-q30"}) {
      SimulationParams params = params_of(workload, policy);
      params.workload = shortened(workload, seconds(80));
      params.policy.waits.queue_timeout = seconds(20);
      Simulation simulation(params);
      const RunResult result = simulation.run();
      SCOPED_TRACE(fmt::format("{} {}", policy, workload));

      const RunResult::Requests& r = result.requests;
      EXPECT_GT(r.finished, 0U);
      EXPECT_GT(r.unfinished, 0U) << "it was cut off";
      EXPECT_EQ(r.submitted,
                r.finished + r.rejected + r.timed_out + r.cancelled + r.failed + r.unfinished);
      EXPECT_EQ(result.sessions_started,
                result.sessions_finished + result.sessions_killed + result.sessions_unfinished);

      const core::PoolView view = simulation.pool().view(TimePoint(simulation.now()));
      EXPECT_EQ(view.queued, 0U);
      EXPECT_EQ(view.in_flight, 0U);
      EXPECT_EQ(view.leases, 0U);
      EXPECT_EQ(simulation.pool().broken_invariant(TimePoint(simulation.now())), "");
      const core::PoolCounters& c = view.counters;
      std::uint64_t ended = c.finished + c.failed + c.cancelled + c.cancelled_queued;
      for (const std::uint64_t rejected : c.rejected) ended += rejected;
      EXPECT_EQ(c.submitted, ended);
      EXPECT_EQ(c.finished, r.finished);
      for (std::size_t i = 0; i < simulation.replicas(); ++i) {
        EXPECT_TRUE(simulation.replica(i).idle()) << i;
        EXPECT_TRUE(simulation.replica(i).blocks_in_order()) << i;
      }
    }
  }
}

// Published: 160 ms to the first token, 8.4 ms between tokens, 1417 ms for a request.
TEST(Simulation, OneConversationAtATimeTakesWhatIsPublished) {
  SimulationParams params = params_of("kthena-c40", "session-boost");
  params.workload.concurrency = 1;
  params.workload.sessions = 6;
  const RunResult result = simulate(params);
  EXPECT_EQ(result.requests.finished, 60U);
  EXPECT_NEAR(result.ttft_s.mean, 0.160, 0.020);
  EXPECT_NEAR(result.itl_s.mean, 0.0084, 0.0002);
  EXPECT_NEAR(result.e2e_s.mean, 1.417, 0.030);
}

// Alone, a session takes what the closed form says, and the network.
TEST(Simulation, AnUnloadedSessionTakesWhatTheClosedFormSays) {
  for (const std::string_view policy : {"resident-set", "session-boost", "sticky"}) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      SimulationParams params = params_of("agents-closed", policy, seed);
      params.workload.concurrency = 1;
      params.workload.sessions = 1;
      params.workload.replicas = 1;
      params.workload.duration = Duration(0);
      params.workload.warm_up = Duration(0);
      Session session = make_session(params.workload, seed, 0);
      session.shared = TokenCount(0);  // nobody of its kind was here before
      const Duration expected =
          unloaded_session(*engine::find_profile(params.workload.profile), session) +
          2 * params.network_delay * static_cast<std::int64_t>(session.turns.size());
      const RunResult result = simulate(params);
      EXPECT_EQ(result.sessions_finished, 1U);
      EXPECT_NEAR(result.session_completion_s.mean, to_seconds(expected), 1e-4)
          << policy << ' ' << seed;
      EXPECT_EQ(result.recomputed_tokens, 0);
    }
  }
}

// The ancestor was run with this load: 470 tokens a second, 23 % of the prompt tokens found, 1200 of 1200.
TEST(Simulation, FortyConversationsWithoutAQueueThrashAsMeasured) {
  const RunResult result = simulate(params_of("kthena-c40", "least-request"));
  EXPECT_EQ(result.requests.finished, 1200U);
  EXPECT_GT(result.output_tokens_per_s, 450);
  EXPECT_LT(result.output_tokens_per_s, 490);
  EXPECT_NEAR(result.token_hit_rate, 0.23, 0.05);
  EXPECT_NEAR(result.hit_rate_bound, 0.83, 0.02);
}

TEST(Simulation, ARefusedFirstTurnTriesAgainAndALaterOneIsTheSessionsEnd) {
  SimulationParams params = params_of("kthena-c40", "session-boost");
  params.workload.concurrency = 8;
  params.workload.sessions = 8;
  params.workload.replicas = 1;
  params.policy.admission.limit = 1;
  params.policy.limits.max_requests = 1;
  const RunResult result = simulate(params);
  EXPECT_GT(result.requests.rejected, 0U);
  EXPECT_EQ(result.requests.rejected, result.sessions_killed);
  EXPECT_GT(result.refusals, result.requests.rejected) << "some refusals were tried again";
  EXPECT_LE(result.refusals, result.requests.rejected + 8U * kRetries);
}

TEST(Simulation, WhoLosesPatienceIsGoneFromQueueAndEngine) {
  SimulationParams params = params_of("kthena-c40", "session-boost");
  params.workload.patience = milliseconds(900);
  Simulation simulation(params);
  const RunResult result = simulation.run();
  EXPECT_GT(result.requests.timed_out, 0U);
  EXPECT_LE(result.longest_wait_s, 0.9);
  const core::PoolView view = simulation.pool().view(TimePoint(simulation.now()));
  EXPECT_EQ(view.counters.cancelled + view.counters.cancelled_queued, result.requests.timed_out);
  EXPECT_EQ(view.leases, 0U);
}

TEST(Simulation, APromptTooLongForTheEngineFails) {
  SimulationParams params = params_of("kthena-c40", "least-request");
  params.workload.sessions = 3;
  params.workload.kv_tokens = 10'000;  // the fifth turn has 10 608 tokens
  const RunResult result = simulate(params);
  EXPECT_EQ(result.requests.finished, 12U);
  EXPECT_EQ(result.requests.failed, 3U);
  EXPECT_EQ(result.sessions_killed, 3U);
}

// Gauges of long ago must not keep idle engines from working: the ledger knows what is in flight.
TEST(Simulation, StaleGaugesDoNotStopTheQueue) {
  SimulationParams params = params_of("kthena-c40", "session-boost");
  const double fresh = simulate(params).output_tokens_per_s;
  params.lag = seconds(5);
  const RunResult result = simulate(params);
  EXPECT_EQ(result.requests.finished, 1200U);
  EXPECT_GT(result.output_tokens_per_s, 0.85 * fresh);
}

TEST(Simulation, SessionsOfAnOpenLoadBeginWhenTheyBegin) {
  SimulationParams params = params_of("chat-heavy", "least-request");
  params.workload = shortened("chat-heavy", seconds(100));
  const RunResult result = simulate(params);
  EXPECT_NEAR(static_cast<double>(result.sessions_started), 600, 75);
  EXPECT_EQ(result.requests.rejected + result.requests.failed + result.requests.timed_out, 0U);
}

}  // namespace
}  // namespace turnpike::sim
