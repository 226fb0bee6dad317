#include "telemetry/access_log.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::telemetry {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

AccessRecord sample() {
  AccessRecord record;
  record.time = std::chrono::system_clock::time_point(1795247045'678ms);
  record.request_id = "r-1";
  record.method = "POST";
  record.path = "/v1/chat/completions";
  record.model = "tiny";
  record.endpoint = "a:8000";
  record.decision = "boosted";
  record.tenant = TenantKey(0xabc);
  record.session = SessionKey(7);
  record.status = 200;
  record.attempts = 1;
  record.streamed = true;
  record.queued = 1500us;
  record.first_token = 20ms;
  record.total = 1s;
  record.input_tokens = TokenCount(904);
  record.cached_tokens = TokenCount(896);
  record.output_tokens = TokenCount(6);
  return record;
}

TEST(AccessRecord, IsOneLineOfText) {
  EXPECT_EQ(format_text(sample()),
            "time=2026-11-21T07:44:05.678Z id=r-1 method=POST path=/v1/chat/completions "
            "tenant=0000000000000abc "
            "session=0000000000000007 session_from=- model=tiny endpoint=a:8000 attempts=1 "
            "status=200 reason=- "
            "decision=boosted stream=true "
            "queue_ms=1.500 ttft_ms=20.000 total_ms=1000.000 input_tokens=904 cached_tokens=896 "
            "output_tokens=6");
}

TEST(AccessRecord, IsOneJsonObject) {
  EXPECT_EQ(
      format_json(sample()),
      R"({"time":"2026-11-21T07:44:05.678Z","id":"r-1","method":"POST","path":"/v1/chat/completions",)"
      R"("tenant":"0000000000000abc","session":"0000000000000007","model":"tiny","endpoint":"a:8000","attempts":1,)"
      R"("status":200,"decision":"boosted","stream":true,"queue_ms":1.500,"ttft_ms":20.000,"total_ms":1000.000,)"
      R"("input_tokens":904,"cached_tokens":896,"output_tokens":6})");
}

TEST(AccessRecord, JsonTellsTheNumbersBehindTheDecision) {
  AccessRecord record;
  record.explanation = core::Explanation{.ahead = 5,
                                         .overtook = 3,
                                         .overtaken = 2,
                                         .weighing = {.candidates = 4,
                                                      .score = 0.75,
                                                      .runner_up = EndpointId(1),
                                                      .runner_up_score = 0.5},
                                         .uncached = TokenCount(12),
                                         .need = TokenCount(600),
                                         .room = TokenCount(-7)};
  record.runner_up = "b";
  EXPECT_THAT(format_json(record),
              HasSubstr(R"("ahead":5,"overtook":3,"overtaken":2,"candidates":4,"score":0.75,)"
                        R"("runner_up":"b","runner_up_score":0.5,"uncached_tokens":12,)"
                        R"("need_tokens":600,"room_tokens":-7})"));
  record.runner_up.clear();
  record.explanation->need.reset();
  EXPECT_THAT(format_json(record), testing::Not(HasSubstr("score")));
  EXPECT_THAT(format_json(record), testing::Not(HasSubstr("need_tokens")));
}

TEST(AccessRecord, WhatIsAbsentIsADashOrLeftOut) {
  const std::string text = format_text({});
  EXPECT_THAT(text, HasSubstr("time=1970-01-01T00:00:00.000Z id=- "));
  EXPECT_THAT(text, HasSubstr("session=- "));
  EXPECT_THAT(text, HasSubstr("ttft_ms=- "));
  EXPECT_THAT(format_json({}), testing::Not(HasSubstr("session")));
}

TEST(AccessRecord, NoClientCanForgeALine) {
  AccessRecord record;
  record.model = "a\nid=forged status=200\"\\\x1b\xff";
  record.request_id = "-";
  record.path = "/a b";
  const std::string text = format_text(record);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_THAT(text, HasSubstr(R"(model="a\nid=forged status=200\"\\\u001b)"));
  EXPECT_THAT(text, HasSubstr("id=\"-\" "));
  EXPECT_THAT(text, HasSubstr("path=\"/a b\""));
  EXPECT_THAT(format_json(record), HasSubstr(R"("model":"a\nid=forged status=200\"\\\u001b)"));
}

TEST(AccessLog, WritesLinesInOrder) {
  std::string seen;
  AccessLog log(AccessLogFormat::text, 100, [&seen](std::string_view bytes) {
    seen += bytes;
    return true;
  });
  for (int i = 0; i < 3; ++i) {
    AccessRecord record;
    record.request_id = std::to_string(i);
    EXPECT_TRUE(log.log(std::move(record)));
  }
  log.flush();
  EXPECT_THAT(
      seen, testing::MatchesRegex("[^\n]* id=0 [^\n]*\n[^\n]* id=1 [^\n]*\n[^\n]* id=2 [^\n]*\n"));
  EXPECT_EQ(log.written(), 3U);
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(AccessLog, AFullQueueDropsAndCountsAndNeverWaits) {
  std::latch in_sink(1);
  std::latch let_go(1);
  bool first = true;
  AccessLog log(AccessLogFormat::json, 4, [&](std::string_view) {
    if (std::exchange(first, false)) {
      in_sink.count_down();
      let_go.wait();
    }
    return true;
  });
  // Half of the bound wakes the writer, which then stands in the sink.
  EXPECT_TRUE(log.log({}));
  EXPECT_TRUE(log.log({}));
  in_sink.wait();
  int taken = 0;
  for (int i = 0; i < 10; ++i) taken += log.log({}) ? 1 : 0;
  // The first two may still have been taken off one by one.
  EXPECT_LE(taken, 4);
  EXPECT_GE(taken, 3);
  let_go.count_down();
  log.flush();
  EXPECT_EQ(log.written(), static_cast<std::uint64_t>(2 + taken));
  EXPECT_EQ(log.dropped(), static_cast<std::uint64_t>(10 - taken));
}

TEST(AccessLog, ASinkThatFailsIsCounted) {
  AccessLog log(AccessLogFormat::text, 10, [](std::string_view) { return false; });
  log.log({});
  log.flush();
  EXPECT_EQ(log.written(), 0U);
  EXPECT_EQ(log.dropped(), 1U);
}

TEST(AccessLog, TheLastLinesAreWrittenAtTheEnd) {
  std::string seen;
  {
    AccessLog log(AccessLogFormat::text, 10, [&seen](std::string_view bytes) {
      seen += bytes;
      return true;
    });
    log.log({});
  }
  EXPECT_EQ(std::ranges::count(seen, '\n'), 1);
}

TEST(AccessLog, ManyThreadsMayLog) {
  std::size_t lines = 0;
  AccessLog log(AccessLogFormat::text, 100'000, [&lines](std::string_view bytes) {
    lines += static_cast<std::size_t>(std::ranges::count(bytes, '\n'));
    return true;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 500; ++i) log.log(sample());
    });
  }
  for (std::thread& thread : threads) thread.join();
  log.flush();
  EXPECT_EQ(lines, 1500U);
}

TEST(OpenSink, AppendsToAFile) {
  const std::string path = testing::TempDir() + "access_log_test.txt";
  std::remove(path.c_str());
  for (const std::string_view line : {"one\n", "two\n"}) {
    const auto sink = open_sink(path);
    ASSERT_TRUE(sink);
    EXPECT_TRUE((*sink)(line));
  }
  std::ifstream file(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "one\ntwo\n");
  std::remove(path.c_str());
  const auto bad = open_sink("/no/such/folder/log");
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("/no/such/folder/log"));
}

TEST(OpenSink, AFileThatWasRotatedAwayIsBegunAnew) {
  const std::string path = testing::TempDir() + "turnpike_rotated_access.log";
  const std::string old = path + ".1";
  const auto contents = [](const std::string& name) {
    std::ifstream file(name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  std::remove(path.c_str());
  const auto sink = open_sink(path);
  ASSERT_TRUE(sink);
  EXPECT_TRUE((*sink)("one\n"));
  ASSERT_EQ(std::rename(path.c_str(), old.c_str()), 0);
  EXPECT_TRUE((*sink)("two\n"));
  EXPECT_TRUE((*sink)("three\n"));
  EXPECT_EQ(contents(old), "one\n");
  EXPECT_EQ(contents(path), "two\nthree\n");
  std::remove(path.c_str());
  EXPECT_TRUE((*sink)("four\n"));
  EXPECT_EQ(contents(path), "four\n");
  std::remove(path.c_str());
  std::remove(old.c_str());
}

}  // namespace
}  // namespace turnpike::telemetry
