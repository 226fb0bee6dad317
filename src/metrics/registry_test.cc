#include "metrics/registry.h"

#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/process.h"

namespace turnpike::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Registry, WritesCountersSummedOverThreads) {
  Registry registry(2);
  Counters& requests = registry.counters("turnpike_requests_total", "Requests.", {"model", "code"});
  requests.at(0, {"m", "200"}).add();
  requests.at(1, {"m", "200"}).add(4);
  requests.at(1, {"m", "429"}).add();
  EXPECT_THAT(registry.scrape(),
              testing::StartsWith("# HELP turnpike_requests_total Requests.\n"
                                  "# TYPE turnpike_requests_total counter\n"
                                  "turnpike_requests_total{model=\"m\",code=\"200\"} 5\n"
                                  "turnpike_requests_total{model=\"m\",code=\"429\"} 1\n"));
}

TEST(Registry, WritesGaugesSummedOverThreads) {
  Registry registry(2);
  Gauges& streams = registry.gauges("turnpike_streams", "Open streams.");
  streams.at(0).add(3);
  streams.at(1).add(2);
  streams.at(1).sub();
  EXPECT_THAT(registry.scrape(), HasSubstr("# TYPE turnpike_streams gauge\nturnpike_streams 4\n"));
}

TEST(Registry, WritesHistogramsCumulatively) {
  Registry registry(2);
  Histograms& waits = registry.histograms("turnpike_wait_seconds", "Waits.", {0.1, 1}, {"model"});
  waits.at(0, {"m"}).observe(0.1);  // a bucket includes its bound
  waits.at(0, {"m"}).observe(0.5);
  waits.at(1, {"m"}).observe(7);
  EXPECT_THAT(registry.scrape(),
              HasSubstr("# TYPE turnpike_wait_seconds histogram\n"
                        "turnpike_wait_seconds_bucket{model=\"m\",le=\"0.1\"} 1\n"
                        "turnpike_wait_seconds_bucket{model=\"m\",le=\"1\"} 2\n"
                        "turnpike_wait_seconds_bucket{model=\"m\",le=\"+Inf\"} 3\n"
                        "turnpike_wait_seconds_sum{model=\"m\"} 7.6\n"
                        "turnpike_wait_seconds_count{model=\"m\"} 3\n"));
}

TEST(Registry, ManyMadeUpLabelsStayBounded) {
  Registry registry(1);
  Counters& paths = registry.counters("turnpike_paths_total", "Paths.", {"path"}, 2);
  paths.at(0, {"/a"}).add();
  paths.at(0, {"/b"}).add();
  for (int i = 0; i < 6000; ++i) paths.at(0, {"/made-up/" + std::to_string(i)}).add();
  paths.at(0, {"/a"}).add();
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr("{path=\"/a\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("{path=\"other\"} 6000\n"));
  EXPECT_THAT(text, Not(HasSubstr("made-up")));
  EXPECT_EQ(paths.overflows(), 6000U);
  EXPECT_THAT(text, HasSubstr("turnpike_metrics_overflows_total 6000\n"));
}

TEST(Registry, ACellIsFoundAgainAndValuesDoNotRunTogether) {
  Registry registry(1);
  Counters& counters = registry.counters("x_total", "x", {"a", "b"});
  Counter& cell = counters.at(0, {"1", "23"});
  for (int i = 0; i < 500; ++i) counters.at(0, {"k", std::to_string(i)});
  EXPECT_EQ(&counters.at(0, {"1", "23"}), &cell);
  EXPECT_NE(&counters.at(0, {"12", "3"}), &cell);
}

TEST(Registry, EscapesLabelsAndHelp) {
  Registry registry(1);
  registry.counters("x_total", "one\\two\nthree \"four\"", {"l"}).at(0, {"a\"b\\c\nd"}).add();
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr("# HELP x_total one\\\\two\\nthree \"four\"\n"));
  EXPECT_THAT(text, HasSubstr("x_total{l=\"a\\\"b\\\\c\\nd\"} 1\n"));
}

TEST(Registry, LabelsThatAreNoUtf8OrTooLongAreShownAsTheyCanBe) {
  Registry registry(1);
  Counters& requests = registry.counters("turnpike_requests_total", "Requests.", {"model"});
  requests.at(0, {"a\xff\xc0\xaf\xed\xa0\x80z"}).add();
  requests.at(0, {"a\xfe\xc0\xaf\xed\xa0\x80z"}).add();  // looks the same: the same row
  requests.at(0, {"\xc3\xa4"}).add();
  requests.at(0, {std::string(256, 'x')}).add();
  requests.at(0, {std::string(257, 'x')}).add();
  const std::string text = registry.scrape();
  EXPECT_THAT(text, HasSubstr("{model=\"a??????z\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("{model=\"\xc3\xa4\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("{model=\"" + std::string(256, 'x') + "\"} 2\n"));
}

TEST(Registry, CollectorsSpeakAtEveryScrape) {
  Registry registry(1);
  int calls = 0;
  registry.on_scrape([&calls](TextWriter& out) {
    out.family("turnpike_queue_length", TextWriter::Type::gauge, "Queued.");
    out.sample(static_cast<double>(++calls));
  });
  EXPECT_THAT(registry.scrape(), HasSubstr("turnpike_queue_length 1\n"));
  EXPECT_THAT(registry.scrape(), HasSubstr("turnpike_queue_length 2\n"));
}

TEST(Registry, MayBeScrapedWhileThreadsCount) {
  Registry registry(2);
  Counters& counters = registry.counters("x_total", "x", {"l"});
  Histograms& histograms = registry.histograms("y", "y", {1, 2});
  std::vector<std::thread> threads;
  for (std::size_t shard = 0; shard < 2; ++shard) {
    threads.emplace_back([&, shard] {
      for (int i = 0; i < 2000; ++i) {
        counters.at(shard, {i % 2 == 0 ? "even" : "odd"}).add();
        histograms.at(shard).observe(i % 3);
      }
    });
  }
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(registry.scrape().empty());
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(registry.scrape(), HasSubstr("x_total{l=\"even\"} 2000\n"));
  EXPECT_THAT(registry.scrape(), HasSubstr("y_count 4000\n"));
}

TEST(TextWriter, WritesNumbersAsPrometheusReadsThem) {
  TextWriter out;
  out.family("x", TextWriter::Type::gauge, "x");
  out.sample(HUGE_VAL);
  out.sample(-HUGE_VAL);
  out.sample(std::nan(""));
  out.sample(0.1);
  out.sample(1e300);
  EXPECT_EQ(out.take(), "# HELP x x\n# TYPE x gauge\nx +Inf\nx -Inf\nx NaN\nx 0.1\nx 1e+300\n");
}

TEST(LogBuckets, AreRoundAndReachTheLast) {
  EXPECT_THAT(log_buckets(0.001, 0.01, 3), testing::ElementsAre(0.001, 0.0022, 0.0046, 0.01));
  const Buckets queue = log_buckets(0.001, 300, 3);
  EXPECT_GE(queue.back(), 300);
  EXPECT_TRUE(std::ranges::is_sorted(queue));
}

TEST(ProcessStats, ReadsStatWithAnOddCommand) {
  const auto fields =
      parse_stat("12 (a) b (c)) S 1 12 12 0 -1 4194304 1 2 3 4 700 300 0 0 20 0 9 0 55555 1 2 3");
  ASSERT_TRUE(fields);
  EXPECT_EQ(fields->user_ticks, 700U);
  EXPECT_EQ(fields->system_ticks, 300U);
  EXPECT_EQ(fields->start_ticks, 55555U);
  EXPECT_FALSE(parse_stat(""));
  EXPECT_FALSE(parse_stat("12 (x) S 1 2"));
  EXPECT_FALSE(parse_stat("12 (x"));
}

TEST(ProcessStats, KnowsThisProcess) {
  const ProcessStats stats = read_process_stats();
  ASSERT_TRUE(stats.resident_bytes && stats.open_fds && stats.max_fds && stats.start_time_seconds);
  EXPECT_GT(*stats.resident_bytes, 100'000U);
  EXPECT_GE(*stats.open_fds, 3U);
  EXPECT_GT(*stats.start_time_seconds, 1e9);
  TextWriter out;
  write_process_stats(out, stats);
  write_build_info(out, "1.0", "clang", "Release");
  const std::string text = out.take();
  EXPECT_THAT(text, HasSubstr("# TYPE process_cpu_seconds_total counter\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "turnpike_build_info{version=\"1.0\",compiler=\"clang\",build_type=\"Release\"} 1\n"));
}

}  // namespace
}  // namespace turnpike::metrics
