#include "sim/report.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ResultFile, HasTheContractsNames) {
  RunLog log;
  log.add(RequestRecord{.outcome = Outcome::finished,
                        .first_token = milliseconds(100),
                        .ended = seconds(1),
                        .output = TokenCount(11)});
  ResultFile file{.command = "load",
                  .version = "1",
                  .seed = 7,
                  .started = "2026-01-01T00:00:00Z",
                  .runs = {log.summary(seconds(2))}};
  const auto json = to_json(file);
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["command"], "load");
  const auto& run = json["runs"][0];
  for (const char* const name : {"workload",
                                 "policy",
                                 "replicas",
                                 "duration_s",
                                 "requests",
                                 "sessions_finished",
                                 "sessions_per_minute",
                                 "output_tokens_per_s",
                                 "prompt_tokens",
                                 "cached_tokens",
                                 "recomputed_tokens",
                                 "token_hit_rate",
                                 "hit_rate_bound",
                                 "jain_tenants",
                                 "rebinds",
                                 "pauses",
                                 "ttft_s",
                                 "itl_s",
                                 "e2e_s",
                                 "queue_s",
                                 "session_completion_s",
                                 "slowdown",
                                 "tenants"}) {
    EXPECT_TRUE(run.contains(name)) << name;
  }
  for (const char* const name : {"mean", "p50", "p90", "p95", "p99", "max", "failed_share"}) {
    EXPECT_TRUE(run["ttft_s"].contains(name)) << name;
  }
  for (const char* const name :
       {"submitted", "finished", "rejected", "timed_out", "cancelled", "failed", "unfinished"}) {
    EXPECT_TRUE(run["requests"].contains(name)) << name;
  }
  EXPECT_EQ(run["tenants"][0]["tenant"], "default");
}

TEST(Table, HasOneLineARun) {
  RunResult a;
  a.workload = "kthena-c40";
  const std::string text = table({a, a});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3);
  EXPECT_THAT(text, ::testing::HasSubstr("kthena-c40"));
}

}  // namespace
}  // namespace turnpike::sim
