#include "sim/result.h"

#include <gtest/gtest.h>

namespace turnpike::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

RequestRecord request(Outcome outcome, Duration submitted, Duration ttft, Duration e2e) {
  RequestRecord r;
  r.outcome = outcome;
  r.submitted = submitted;
  if (ttft > Duration(0)) r.first_token = submitted + ttft;
  r.ended = submitted + e2e;
  r.prompt = TokenCount(100);
  r.cached = TokenCount(40);
  r.cacheable = TokenCount(64);
  r.output = TokenCount(outcome == Outcome::finished ? 11 : 0);
  return r;
}

TEST(Distribution, QuantilesAreRanks) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  const Distribution d = Distribution::of(values);
  EXPECT_DOUBLE_EQ(d.mean, 50.5);
  EXPECT_DOUBLE_EQ(d.p50, 50);
  EXPECT_DOUBLE_EQ(d.p90, 90);
  EXPECT_DOUBLE_EQ(d.p95, 95);
  EXPECT_DOUBLE_EQ(d.p99, 99);
  EXPECT_DOUBLE_EQ(d.max, 100);
}

TEST(Distribution, OfNothingIsZero) {
  const Distribution d = Distribution::of({});
  EXPECT_DOUBLE_EQ(d.mean, 0);
  EXPECT_DOUBLE_EQ(d.max, 0);
  EXPECT_DOUBLE_EQ(d.failed_share, 0);
}

TEST(Distribution, FailuresCountAsTheSlowestOrTheirOwnTime) {
  const Distribution d = Distribution::of({1, 2, 3, 4}, {0.5, 30});
  EXPECT_DOUBLE_EQ(d.mean, (1 + 2 + 3 + 4 + 4 + 30) / 6.0);
  EXPECT_DOUBLE_EQ(d.max, 30);
  EXPECT_DOUBLE_EQ(d.p50, 3);
  EXPECT_NEAR(d.failed_share, 1.0 / 3, 1e-12);
}

TEST(Distribution, OnlyFailures) {
  const Distribution d = Distribution::of({}, {2, 4});
  EXPECT_DOUBLE_EQ(d.mean, 3);
  EXPECT_DOUBLE_EQ(d.failed_share, 1);
}

TEST(RunLog, CountsAndDistributes) {
  RunLog log;
  log.add(request(Outcome::finished, seconds(0), milliseconds(100), milliseconds(1100)));
  log.add(request(Outcome::finished, seconds(1), milliseconds(300), milliseconds(2300)));
  log.add(request(Outcome::rejected, seconds(2), Duration(0), milliseconds(5)));
  log.add(request(Outcome::cancelled, seconds(3), Duration(0), milliseconds(5)));
  const RunResult r = log.summary(seconds(11));
  EXPECT_EQ(r.requests.submitted, 4);
  EXPECT_EQ(r.requests.finished, 2);
  EXPECT_EQ(r.requests.rejected, 1);
  EXPECT_EQ(r.requests.cancelled, 1);
  EXPECT_DOUBLE_EQ(r.output_tokens_per_s, 2);
  EXPECT_NEAR(r.ttft_s.mean, (0.1 + 0.3 + 0.3) / 3, 1e-9);  // the refused one counts as the slowest
  EXPECT_NEAR(r.itl_s.p50, 0.2, 1e-9);
  EXPECT_NEAR(r.itl_s.mean, (0.1 + 0.2 + 0.2) / 3, 1e-9);
  EXPECT_NEAR(r.e2e_s.max, 2.3, 1e-9);
  EXPECT_NEAR(r.e2e_s.failed_share, 1.0 / 3, 1e-9);
  EXPECT_DOUBLE_EQ(r.token_hit_rate, 0.4);
  EXPECT_DOUBLE_EQ(r.hit_rate_bound, 0.64);
  EXPECT_EQ(r.recomputed_tokens, 4 * 24);
}

TEST(RunLog, WhoStillWaitsHasWaitedAtLeastSoLong) {
  RunLog log;
  log.add(request(Outcome::finished, seconds(0), milliseconds(100), milliseconds(1100)));
  log.add(request(Outcome::unfinished, seconds(1), Duration(0), Duration(0)));
  const RunResult r = log.summary(seconds(61));
  EXPECT_EQ(r.requests.unfinished, 1);
  EXPECT_DOUBLE_EQ(r.ttft_s.max, 60);
  EXPECT_DOUBLE_EQ(r.longest_wait_s, 60);
  EXPECT_DOUBLE_EQ(r.ttft_s.failed_share, 0);
  EXPECT_DOUBLE_EQ(r.e2e_s.max, 1.1);
}

TEST(RunLog, WarmUpIsLeftOut) {
  RunLog log(seconds(10));
  log.add(request(Outcome::finished, seconds(9), milliseconds(100), milliseconds(1100)));
  log.add(request(Outcome::finished, seconds(10), milliseconds(100), milliseconds(1100)));
  log.add(SessionRecord{.end = SessionEnd::finished, .began = seconds(2), .ended = seconds(12)});
  const RunResult r = log.summary(seconds(20));
  EXPECT_EQ(r.requests.submitted, 1);
  EXPECT_EQ(r.sessions_started, 0);
  EXPECT_DOUBLE_EQ(r.duration_s, 10);
}

TEST(RunLog, SessionsKilledCountAsTheSlowest) {
  RunLog log;
  const auto session = [](SessionEnd end, int took) {
    return SessionRecord{
        .end = end, .began = seconds(1), .ended = seconds(1 + took), .unloaded = seconds(2)};
  };
  log.add(session(SessionEnd::finished, 4));
  log.add(session(SessionEnd::finished, 8));
  log.add(session(SessionEnd::killed, 1));
  log.add(session(SessionEnd::unfinished, 0));
  const RunResult r = log.summary(seconds(60));
  EXPECT_EQ(r.sessions_started, 4);
  EXPECT_EQ(r.sessions_finished, 2);
  EXPECT_EQ(r.sessions_killed, 1);
  EXPECT_EQ(r.sessions_unfinished, 1);
  EXPECT_DOUBLE_EQ(r.sessions_per_minute, 2);
  EXPECT_NEAR(r.session_completion_s.mean, 20.0 / 3, 1e-9);
  EXPECT_DOUBLE_EQ(r.slowdown.max, 4);
}

TEST(RunLog, TenantsAreSeparate) {
  RunLog log;
  RequestRecord a = request(Outcome::finished, seconds(0), milliseconds(100), seconds(1));
  a.tenant = "a";
  RequestRecord b = a;
  b.tenant = "b";
  b.first_token = milliseconds(700);
  log.add(b);
  log.add(a);
  log.add(a);
  const RunResult r = log.summary(seconds(10));
  ASSERT_EQ(r.tenants.size(), 2);
  EXPECT_EQ(r.tenants[0].tenant, "a");
  EXPECT_EQ(r.tenants[0].requests, 2);
  EXPECT_DOUBLE_EQ(r.tenants[0].weighted_tokens, 2 * (60 + 22));
  EXPECT_DOUBLE_EQ(r.tenants[1].ttft_s.max, 0.7);
  EXPECT_NEAR(r.jain_tenants, 0.9, 1e-9);
}

TEST(Jain, Index) {
  EXPECT_DOUBLE_EQ(jain_index({}), 1);
  EXPECT_DOUBLE_EQ(jain_index({5, 5, 5}), 1);
  EXPECT_DOUBLE_EQ(jain_index({1, 0, 0, 0}), 0.25);
}

}  // namespace
}  // namespace turnpike::sim
