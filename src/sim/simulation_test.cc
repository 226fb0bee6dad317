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

// Each workload, shortened, against the default policy: what is odd about it must not lose a request or a token.
TEST(Simulation, EveryWorkloadKeepsItsBooks) {
  for (const Workload& workload : workloads()) {
    if (!workload.trace_prefix.empty()) continue;
    SCOPED_TRACE(workload.name);
    SimulationParams params = params_of(workload.name, "resident-set", 3);
    params.workload = shortened(workload.name, seconds(40));
    Simulation simulation(params);
    const RunResult result = simulation.run();
    EXPECT_GT(result.requests.finished, 0U);
    EXPECT_EQ(result.requests.failed, 0U);
    for (std::size_t i = 0; i < simulation.gateways(); ++i) {
      const core::PoolView view = simulation.pool(i).view(TimePoint(simulation.now()));
      EXPECT_EQ(view.queued + view.in_flight + view.leases, 0U);
      EXPECT_GT(view.counters.submitted, 0U);
    }
    for (std::size_t i = 0; i < simulation.replicas(); ++i) {
      EXPECT_TRUE(simulation.replica(i).idle()) << i;
      EXPECT_TRUE(simulation.replica(i).blocks_in_order()) << i;
    }
  }
}

// Every session's turns come one after the other, and each has the tokens it was made with.
TEST(Simulation, EverySessionsTokensAreThere) {
  SimulationParams params = params_of("agents-closed", "resident-set", 5);
  params.workload.sessions = 30;
  params.workload.duration = params.workload.warm_up = Duration(0);
  const RunResult result = simulate(params);
  std::int64_t prompt = 0;
  std::int64_t output = 0;
  std::uint64_t turns = 0;
  for (std::uint64_t i = 0; i < 30; ++i) {
    const Session session = make_session(params.workload, params.seed, i);
    for (std::size_t turn = 0; turn < session.turns.size(); ++turn, ++turns) {
      prompt += session.prompt_tokens(turn).value();
      output += session.turns[turn].output.value();
    }
  }
  EXPECT_EQ(result.requests.finished, turns);
  EXPECT_EQ(result.prompt_tokens, prompt);
  EXPECT_EQ(result.output_tokens, output);
  EXPECT_LE(result.token_hit_rate, result.hit_rate_bound + 1e-9);
}

TEST(Simulation, ForeignRequestsTakeRoomAndAreNobodysResult) {
  SimulationParams params = params_of("agents-closed", "least-request");
  params.workload = shortened("agents-closed", seconds(60));
  params.workload.concurrency = 20;
  const RunResult alone = simulate(params);
  params.workload.conditions.foreign_rate = 4;
  params.workload.conditions.foreign = find_workload("shared-engine")->conditions.foreign;
  const RunResult beside = simulate(params);
  EXPECT_GT(beside.ttft_s.mean, 1.2 * alone.ttft_s.mean);
  EXPECT_LT(beside.requests.finished, alone.requests.finished);
}

TEST(Simulation, AHostTierSavesRecomputing) {
  SimulationParams params = params_of("agents-closed", "sticky");
  params.workload = shortened("agents-closed", seconds(120));
  const RunResult without = simulate(params);
  params.workload.conditions.host_tokens = 1'200'000;
  const RunResult with = simulate(params);
  EXPECT_GT(with.token_hit_rate, without.token_hit_rate + 0.2);
  EXPECT_GT(with.output_tokens_per_s, 1.3 * without.output_tokens_per_s);
}

TEST(Simulation, AReplicaAtHalfSpeedCostsThroughput) {
  SimulationParams params = params_of("kthena-c40", "round-robin");
  const double full = simulate(params).output_tokens_per_s;
  params.workload.conditions.slow_factor = 2;
  EXPECT_LT(simulate(params).output_tokens_per_s, 0.9 * full);
}

TEST(Simulation, TheTimelineAddsUpToTheOutput) {
  SimulationParams params = params_of("kthena-c40", "least-request");
  const RunResult result = simulate(params);
  const std::vector<TimelinePoint>& points = result.curves.timeline;
  ASSERT_GT(points.size(), 60U);
  double before = 0;
  double tokens = 0;
  for (const TimelinePoint& point : points) {
    tokens += point.output_tokens_per_s * (point.at_s - before);
    before = point.at_s;
  }
  EXPECT_NEAR(tokens, static_cast<double>(result.output_tokens), 1.0);
}

// Two sessions with text in common, of which the gateway guesses the lengths differently, or it would take one's block for another's.
TEST(Simulation, FingerprintsAreChains) {
  for (const double error : {0.0, 0.15, 0.6}) {
    SimulationParams params = params_of("agents-closed", "resident-set", 2);
    params.workload = shortened("agents-closed", seconds(60));
    for (SessionShape& shape : params.workload.shapes) shape.shared_tokens = 9000;
    params.estimate_error = error;
    Simulation simulation(params);
    const RunResult result = simulation.run();
    EXPECT_GT(result.requests.finished, 50U);
    EXPECT_EQ(simulation.pool().broken_invariant(TimePoint(simulation.now())), "") << error;
  }
}

}  // namespace
}  // namespace turnpike::sim
