#include "app/load/load_run.h"

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/engine/replica_server.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "sim/trace.h"

namespace turnpike::app {
namespace {

using net::Task;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

constexpr double kSpeed = 2000;

sim::Workload small(std::string_view like = "kthena-c40") {
  sim::Workload workload = *sim::find_workload(like);
  workload.sessions = 6;
  workload.concurrency = 3;
  workload.rate = 0;
  workload.duration = workload.warm_up = Duration(0);
  workload.shapes[0].turns = {.median = 3};
  workload.shapes[0].first = {.median = 200};
  workload.shapes[0].appended = {.median = 100};
  workload.shapes[0].output = {.median = 10};
  return workload;
}

class LoadRunTest : public ::testing::Test {
 public:
  // Against a stand-in engine.
  sim::RunResult against_engine(const sim::Workload& workload,
                                std::vector<std::string> faults = {}) {
    ReplicaServerParams params;
    params.engine = {.profile = *engine::find_profile("kthena-table")};
    ReplicaServer server(reactor_, clock_, params);
    const net::Address address = *server.listen(*net::Address::parse("127.0.0.1:0"));
    return run(
        workload, address, [&]() -> Task<void> { return server.drain(); }, std::move(faults));
  }

  // Against a server that does what the test says.
  sim::RunResult against(const sim::Workload& workload, net::HttpServer::Handler handler) {
    net::HttpServer server(reactor_, std::move(handler));
    const net::Address address = *server.listen(*net::Address::parse("127.0.0.1:0"));
    return run(workload, address, [&]() -> Task<void> { return server.drain(); });
  }

  template <typename Drain>
  sim::RunResult run(const sim::Workload& workload, const net::Address& address, Drain drain,
                     std::vector<std::string> faults = {}) {
    LoadRun load(reactor_, clock_,
                 {.address = address,
                  .authority = "x",
                  .base_path = "",
                  .model = "tiny",
                  .session_header = "X-Session-ID",
                  .workload = workload,
                  .profile = *engine::find_profile("kthena-table")});
    std::exception_ptr failure;
    reactor_.on_task_failure = [&](std::exception_ptr e) {
      failure = std::move(e);
      reactor_.stop();
    };
    net::HttpClient planner(reactor_, address, "x");
    reactor_.spawn(gate_, play(*this, load, planner, std::move(faults), drain));
    reactor_.run();
    if (failure) std::rethrow_exception(failure);
    first_error_ = load.first_error();
    return load.result();
  }

  template <typename Drain>
  static Task<void> play(LoadRunTest& t, LoadRun& load, net::HttpClient& planner,
                         std::vector<std::string> faults, Drain& drain) {
    for (const std::string& fault : faults) {
      co_await planner.request({.method = "POST", .target = "/admin/faults", .body = fault}, {});
    }
    if (t.stop_after_ > 0) t.reactor_.spawn(t.gate_, stop_later(t, load));
    co_await load.run();
    planner.set_address(net::Address());  // closes its connection
    co_await drain();
    t.reactor_.stop();
  }

  static Task<void> stop_later(LoadRunTest& t, LoadRun& load) {
    while (load.progress().requests_finished < t.stop_after_) {
      co_await t.reactor_.sleep(milliseconds(1));
    }
    load.stop();
  }

  net::Reactor reactor_;
  net::Gate gate_{reactor_};
  ScaledClock clock_{kSpeed};
  std::string first_error_;
  std::uint64_t stop_after_ = 0;
};

TEST_F(LoadRunTest, PlaysEverySessionToItsEnd) {
  const sim::RunResult result = against_engine(small());
  EXPECT_EQ(result.requests.submitted, 18);
  EXPECT_EQ(result.requests.finished, 18);
  EXPECT_EQ(result.sessions_finished, 6);
  EXPECT_EQ(result.output_tokens, 180);
  EXPECT_EQ(result.prompt_tokens, 6 * (200 + 310 + 420));
  // Nothing was lost from the cache, so that what could be found was found.
  EXPECT_EQ(result.cached_tokens, 6 * (208 + 304));
  EXPECT_EQ(result.recomputed_tokens, 0);
  EXPECT_DOUBLE_EQ(result.token_hit_rate, result.hit_rate_bound);
  EXPECT_GT(result.ttft_s.p50, 0);
  EXPECT_GT(result.slowdown.p50, 0);
  EXPECT_EQ(first_error_, "");
}

// A recording of one session that starts another, and says when its turns were asked.
TEST_F(LoadRunTest, PlaysARecordingAndTheSessionsItStarts) {
  const auto recorded = [](std::uint64_t text, std::size_t turns) {
    sim::Session session;
    session.text = text;
    session.tenant = "default";
    session.piece_tokens = TokenCount(64);
    for (std::size_t i = 0; i < turns; ++i) {
      session.turns.push_back({.appended = TokenCount(i == 0 ? 640 : 64),
                               .output = TokenCount(4),
                               .pieces = {{1, static_cast<std::uint32_t>(10 + i)}},
                               .due = seconds(20) * static_cast<int>(i)});
    }
    return session;
  };
  sim::Trace trace;
  trace.sessions = {recorded(1, 3)};
  trace.begins = {Duration(0)};
  trace.span = seconds(60);
  sim::Session child = recorded(2, 2);
  for (sim::Turn& turn : child.turns) turn.due.reset();
  trace.sessions[0].children.push_back(
      {.after_turn = 1, .delay = seconds(3), .session = std::make_shared<sim::Session>(child)});
  sim::Workload workload = small();
  workload.trace = std::make_shared<const sim::Trace>(trace);
  workload.sessions = 1;
  workload.concurrency = 0;
  workload.rate = 1;
  const sim::RunResult result = against_engine(workload);
  EXPECT_EQ(result.requests.finished, 5);
  EXPECT_EQ(result.sessions_finished, 2);
  EXPECT_EQ(result.output_tokens, 20);
  // Each of the four later prompts finds the pieces of the one before it, in whichever session.
  EXPECT_GE(result.cached_tokens, 4 * 640);
  EXPECT_GE(result.session_completion_s.max, 40);
}

TEST_F(LoadRunTest, ARefusedFirstTurnIsTriedAgainAndCountsOnce) {
  const sim::RunResult result =
      against_engine(small(), {R"({"kind":"status","status":503,"count":4,"retry_after":1})"});
  EXPECT_EQ(result.requests.submitted, 18);
  EXPECT_EQ(result.requests.finished, 18);
  EXPECT_EQ(result.refusals, 4);
  EXPECT_GE(result.ttft_s.max, 1.0);  // the wait is part of the time to the first token
}

TEST_F(LoadRunTest, AfterThreeRetriesTheSessionIsKilledAndTheSlotTakesTheNext) {
  sim::Workload workload = small();
  workload.concurrency = 1;
  const sim::RunResult result =
      against_engine(workload, {R"({"kind":"status","status":429,"count":4,"retry_after":1})"});
  EXPECT_EQ(result.requests.rejected, 1);
  EXPECT_EQ(result.refusals, 4);
  EXPECT_EQ(result.sessions_killed, 1);
  EXPECT_EQ(result.sessions_finished, 5);
  EXPECT_EQ(result.requests.submitted, 16);
  EXPECT_THAT(first_error_, HasSubstr("429"));
  EXPECT_NEAR(result.ttft_s.failed_share, 1.0 / 16, 1e-9);
}

// Serves `good` requests in three words each, then answers `status`.
net::HttpServer::Handler good_then(int good, int status) {
  const auto left = std::make_shared<int>(good);
  return [left, status](net::Exchange& exchange) -> Task<void> {
    static constexpr std::string_view kAnswer =
        "data: {\"choices\":[{\"delta\":{\"content\":\"word\"},\"finish_reason\":\"stop\"}]}\n\n"
        "data: [DONE]\n\n";
    const bool ok = (*left)-- > 0;
    return ok ? [](net::Exchange& e) -> Task<void> {
      co_await e.respond(200, "text/event-stream", kAnswer);
    }(exchange)
              : [](net::Exchange& e, int code) -> Task<void> {
                  const http::Field retry{.name = "Retry-After", .value = "1"};
                  co_await e.respond(code, "application/json", "{}", std::span(&retry, 1));
                }(exchange, status);
  };
}

TEST_F(LoadRunTest, ALaterTurnThatIsRefusedIsLostAtOnce) {
  sim::Workload workload = small();
  workload.sessions = workload.concurrency = 1;
  const sim::RunResult result = against(workload, good_then(1, 503));
  EXPECT_EQ(result.requests.submitted, 2);
  EXPECT_EQ(result.requests.rejected, 1);
  EXPECT_EQ(result.refusals, 1);
  EXPECT_EQ(result.sessions_killed, 1);
}

TEST_F(LoadRunTest, StatusesAreSortedIntoOutcomes) {
  sim::Workload workload = small();
  workload.sessions = workload.concurrency = 1;
  EXPECT_EQ(against(workload, good_then(0, 504)).requests.timed_out, 1);
}

TEST_F(LoadRunTest, ServerErrorsAreFailures) {
  sim::Workload workload = small();
  workload.sessions = workload.concurrency = 1;
  EXPECT_EQ(against(workload, good_then(0, 500)).requests.failed, 1);
}

TEST_F(LoadRunTest, WithoutUsageTokensAreCountedByEvents) {
  sim::Workload workload = small();
  workload.sessions = workload.concurrency = 1;
  const sim::RunResult result = against(workload, good_then(3, 500));
  EXPECT_EQ(result.requests.finished, 3);
  EXPECT_EQ(result.output_tokens, 3);
  EXPECT_EQ(result.prompt_tokens, 200 + 310 + 420);
}

TEST_F(LoadRunTest, AStreamThatEndsEarlyIsAFailure) {
  sim::Workload workload = small();
  workload.concurrency = 1;
  const sim::RunResult result = against_engine(workload, {R"({"kind":"end","after_tokens":4})"});
  EXPECT_EQ(result.requests.failed, 1);
  EXPECT_THAT(first_error_, HasSubstr("ended before"));
}

TEST_F(LoadRunTest, AResetStreamIsAFailure) {
  sim::Workload workload = small();
  workload.concurrency = 1;
  const sim::RunResult result = against_engine(workload, {R"({"kind":"reset","after_tokens":4})"});
  EXPECT_EQ(result.requests.failed, 1);
  EXPECT_EQ(result.sessions_killed, 1);
}

TEST_F(LoadRunTest, PatienceEndsARequest) {
  sim::Workload workload = small();
  workload.sessions = workload.concurrency = 1;
  workload.patience = seconds(4);
  const sim::RunResult result = against_engine(workload, {R"({"kind":"stall","after_tokens":2})"});
  EXPECT_EQ(result.requests.timed_out, 1);
  EXPECT_GE(result.ttft_s.max, 4);  // it had a first token, but it is lost: its own time counts
}

TEST_F(LoadRunTest, TheDurationEndsTheRunAndTheRestIsUnfinished) {
  sim::Workload workload = small();
  workload.sessions = 0;
  workload.duration = seconds(400);
  // Four requests are served, everything after them hangs.
  const sim::RunResult result =
      against_engine(workload, {R"({"kind":"delay","delay_ms":0,"count":4})",
                                R"({"kind":"stall","after_tokens":1,"count":-1})"});
  EXPECT_EQ(result.requests.finished, 4);
  EXPECT_EQ(result.requests.unfinished, 3);
  EXPECT_EQ(result.sessions_unfinished, 3);
  EXPECT_DOUBLE_EQ(result.duration_s, 400);
  EXPECT_EQ(result.requests.failed, 0);
}

TEST_F(LoadRunTest, StoppingCutsPausesAndRequestsShort) {
  sim::Workload workload = small();
  workload.sessions = 0;
  workload.shapes[0].gap_s = {.median = 1e6};
  stop_after_ = 2;
  const sim::RunResult result = against_engine(workload);
  EXPECT_GE(result.requests.finished, 2);
  EXPECT_EQ(result.sessions_finished, 0);
}

TEST_F(LoadRunTest, OpenLoopSessionsBeginWhenTheyBegin) {
  sim::Workload workload = small();
  workload.concurrency = 0;
  workload.rate = 2;
  workload.sessions = 20;
  const sim::RunResult result = against_engine(workload);
  EXPECT_EQ(result.sessions_finished, 20);
  EXPECT_EQ(result.requests.finished, 60);
  EXPECT_GT(result.duration_s, 2);
}

TEST_F(LoadRunTest, NobodyThereIsAFailureOfEachSession) {
  const net::Address nobody = *net::Address::parse("127.0.0.1:1");
  sim::Workload workload = small();
  const sim::RunResult result = run(workload, nobody, []() -> Task<void> { co_return; });
  EXPECT_EQ(result.requests.failed, 6);
  EXPECT_THAT(first_error_, HasSubstr("cannot connect"));
}

}  // namespace
}  // namespace turnpike::app
