#include "sim/batch.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report.h"

namespace turnpike::sim {
namespace {

std::vector<SimulationParams> four_runs() {
  std::vector<SimulationParams> runs;
  for (const char* const policy : {"resident-set", "round-robin"}) {
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
      SimulationParams params;
      params.workload = *find_workload("agents-closed");
      params.workload.duration = std::chrono::seconds(20);
      params.workload.warm_up = Duration(0);
      params.policy = *core::preset(policy);
      params.seed = seed;
      runs.push_back(params);
    }
  }
  return runs;
}

TEST(Batch, SideBySideIsAsOneAfterTheOther) {
  const std::vector<SimulationParams> runs = four_runs();
  const std::vector<RunResult> alone = run_all(runs, 1);
  const std::vector<RunResult> together = run_all(runs, 8);
  ASSERT_EQ(together.size(), runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    EXPECT_EQ(together[i].policy, runs[i].policy.policy);
    EXPECT_EQ(together[i].seed, runs[i].seed);
    EXPECT_EQ(to_json(together[i]), to_json(alone[i])) << i;
  }
}

TEST(Batch, WhoeverWatchesSeesTheEnd) {
  const std::vector<SimulationParams> runs = four_runs();
  std::size_t done = 0;
  std::int64_t simulated_ns = 0;
  run_all(runs, 2, [&](const BatchProgress& progress) {
    done = progress.done;
    simulated_ns = progress.simulated_ns;
  });
  EXPECT_EQ(done, 4U);
  EXPECT_EQ(simulated_ns, 4 * Duration(std::chrono::seconds(20)).count());
}

TEST(Batch, NothingToDoIsDone) {
  EXPECT_TRUE(run_all(std::span<const SimulationParams>(), 4).empty());
}

}  // namespace
}  // namespace turnpike::sim
