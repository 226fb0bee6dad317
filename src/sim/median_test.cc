#include "sim/median.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sim/report.h"

namespace turnpike::sim {
namespace {

RunResult run_with(double rate, std::uint64_t finished, double p99) {
  RunResult run;
  run.workload = "w";
  run.policy = "p";
  run.seed = finished;
  run.output_tokens_per_s = rate;
  run.requests.finished = finished;
  run.ttft_s.p99 = p99;
  return run;
}

TEST(Median, IsTakenOfEachFigureAlone) {
  const RunResult result = median_of({run_with(1, 30, 5), run_with(3, 10, 4), run_with(2, 20, 9)});
  EXPECT_EQ(result.workload, "w");
  EXPECT_EQ(result.policy, "p");
  EXPECT_EQ(result.output_tokens_per_s, 2);
  EXPECT_EQ(result.requests.finished, 20U);
  EXPECT_EQ(result.ttft_s.p99, 5);
  EXPECT_EQ(result.seed, 0U);
}

TEST(Median, OfOneRunIsTheRun) {
  EXPECT_EQ(median_of({run_with(1, 30, 5)}).seed, 30U);
}

// A figure that is added to the result and forgotten here would be zero in every table of medians.
TEST(Median, OfEqualRunsIsTheRunInEveryFigure) {
  RunLog log;
  log.add(RequestRecord{.tenant = "a",
                        .outcome = Outcome::finished,
                        .first_token = std::chrono::seconds(1),
                        .ended = std::chrono::seconds(3),
                        .queued = std::chrono::milliseconds(5),
                        .prompt = TokenCount(100),
                        .cached = TokenCount(32),
                        .cacheable = TokenCount(64),
                        .output = TokenCount(10)});
  log.add(
      RequestRecord{.tenant = "b", .outcome = Outcome::rejected, .ended = std::chrono::seconds(2)});
  log.add(SessionRecord{.end = SessionEnd::finished,
                        .ended = std::chrono::seconds(4),
                        .unloaded = std::chrono::seconds(2)});
  log.add(SessionRecord{.end = SessionEnd::killed, .ended = std::chrono::seconds(4)});
  log.refused();
  RunResult run = log.summary(std::chrono::seconds(10));
  run.workload = "w";
  run.policy = "p";
  run.replicas = 3;
  run.rebinds = 4;
  run.pauses = 5;
  RunResult median = median_of({run, run, run});
  ASSERT_TRUE(median.ranges);
  EXPECT_EQ(median.ranges->output_tokens_per_s.least, run.output_tokens_per_s);
  EXPECT_EQ(median.ranges->output_tokens_per_s.most, run.output_tokens_per_s);
  EXPECT_EQ(median.curves.ttft_s, run.curves.ttft_s);
  median.ranges.reset();
  EXPECT_EQ(to_json(median).dump(2), to_json(run).dump(2));
}

TEST(Median, LeavesOutTenantsThatNotEveryRunHas) {
  RunResult one = run_with(1, 1, 1);
  one.tenants = {{.tenant = "a", .requests = 1, .ttft_s = {}},
                 {.tenant = "b", .requests = 2, .ttft_s = {}}};
  RunResult two = run_with(1, 1, 1);
  two.tenants = {{.tenant = "b", .requests = 4, .ttft_s = {}}};
  const RunResult result = median_of({one, two});
  ASSERT_EQ(result.tenants.size(), 1U);
  EXPECT_EQ(result.tenants[0].tenant, "b");
  EXPECT_EQ(result.tenants[0].requests, 4U);
}

}  // namespace
}  // namespace turnpike::sim
