#include "app/engine/replica_server.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "net/http_client.h"

namespace turnpike::app {
namespace {

using net::ClientAnswer;
using net::HttpClient;
using net::Task;
using nlohmann::json;
using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A server whose simulated time runs a thousand times faster, and a client, on one reactor.
class ReplicaServerTest : public ::testing::Test {
 public:
  static ReplicaServerParams small() {
    ReplicaServerParams params;
    params.engine = {.profile = *engine::find_profile("kthena-table"),
                     .kv_tokens = TokenCount(16'000)};
    return params;
  }

  void start(const ReplicaServerParams& params, double speed = 1000) {
    clock_.emplace(speed);
    server_.emplace(reactor_, *clock_, params);
    address_ = *server_->listen(*net::Address::parse("127.0.0.1:0"));
    client_.emplace(reactor_, address_, "engine");
  }

  void run(Task<void> body) {
    std::exception_ptr failure;
    reactor_.on_task_failure = [&](std::exception_ptr e) {
      failure = std::move(e);
      reactor_.stop();
    };
    reactor_.spawn(gate_, run_and_stop(std::move(body)));
    reactor_.run();
    if (failure) std::rethrow_exception(failure);
  }

  Task<ClientAnswer> send(std::string_view method, std::string_view path, std::string body = {}) {
    auto answer = co_await client_->request({.method = method, .target = path, .body = body}, {});
    EXPECT_TRUE(answer.has_value()) << (answer ? "" : answer.error().message);
    co_return answer ? *std::move(answer) : ClientAnswer{};
  }

  static std::string chat(std::string_view text, int max_tokens, bool stream = false) {
    return fmt::format(
        R"({{"model":"tiny","max_tokens":{},"stream":{},"stream_options":{{"include_usage":true}},"messages":[{{"role":"user","content":"{}"}}]}})",
        max_tokens, stream, text);
  }

  static std::vector<json> events(std::string_view body) {
    std::vector<json> all;
    while (!body.empty()) {
      const std::string_view line = body.substr(0, body.find("\n\n"));
      body.remove_prefix(std::min(body.size(), line.size() + 2));
      EXPECT_TRUE(line.starts_with("data: "));
      if (line != "data: [DONE]") all.push_back(json::parse(line.substr(6)));
    }
    return all;
  }

 private:
  Task<void> run_and_stop(Task<void> body) {
    co_await std::move(body);
    client_.reset();
    co_await server_->drain();
    reactor_.stop();
  }

 public:
  net::Reactor reactor_;
  net::Gate gate_{reactor_};
  std::optional<ScaledClock> clock_;
  std::optional<ReplicaServer> server_;
  net::Address address_;
  std::optional<HttpClient> client_;
};

TEST_F(ReplicaServerTest, StreamsRoleTokensUsageAndDone) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    const ClientAnswer answer =
        co_await t.send("POST", "/v1/chat/completions", chat(std::string(400, 'x'), 5, true));
    EXPECT_EQ(answer.status, 200);
    EXPECT_THAT(std::string(answer.field("content-type")), StartsWith("text/event-stream"));
    EXPECT_THAT(answer.body, EndsWith("data: [DONE]\n\n"));
    const auto all = events(answer.body);
    EXPECT_EQ(all.size(), 1 + 5 + 1);
    EXPECT_EQ(all[0]["choices"][0]["delta"]["role"], "assistant");
    std::string text;
    for (std::size_t i = 1; i <= 5; ++i) {
      text += all[i]["choices"][0]["delta"]["content"].get<std::string>();
    }
    EXPECT_EQ(text.size(), 20);
    EXPECT_EQ(all[5]["choices"][0]["finish_reason"], "length");
    EXPECT_EQ(all[6]["usage"]["prompt_tokens"], 102);
    EXPECT_EQ(all[6]["usage"]["completion_tokens"], 5);
  }(*this));
}

TEST_F(ReplicaServerTest, AnswersWholeAndCountsWhatWasCached) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    const std::string question(4000, 'q');
    const json first =
        json::parse((co_await t.send("POST", "/v1/chat/completions", chat(question, 100))).body);
    EXPECT_EQ(first["object"], "chat.completion");
    EXPECT_EQ(first["usage"]["prompt_tokens"], 1002);
    EXPECT_EQ(first["usage"]["prompt_tokens_details"]["cached_tokens"], 0);

    const json messages{
        {{"role", "user"}, {"content", question}},
        {{"role", "assistant"}, {"content", first["choices"][0]["message"]["content"]}},
        {{"role", "user"}, {"content", "and then?"}}};
    const json body{{"messages", messages}, {"max_tokens", 4}};
    const json second =
        json::parse((co_await t.send("POST", "/v1/chat/completions", body.dump())).body);
    // 1002 of the prompt and 99 of the answer had been computed: 68 whole blocks.
    EXPECT_EQ(second["usage"]["prompt_tokens_details"]["cached_tokens"], 1101 / 16 * 16);

    const std::string metrics = (co_await t.send("GET", "/metrics")).body;
    EXPECT_THAT(metrics,
                HasSubstr("vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"tiny\"} 1088.0"));
  }(*this));
}

TEST_F(ReplicaServerTest, CompletionsAndDefaultLength) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    const json answer =
        json::parse((co_await t.send("POST", "/v1/completions", R"({"prompt":"abcdefgh"})")).body);
    EXPECT_EQ(answer["object"], "text_completion");
    EXPECT_EQ(answer["choices"][0]["finish_reason"], "stop");
    EXPECT_GE(answer["usage"]["completion_tokens"], 16);
    const json again =
        json::parse((co_await t.send("POST", "/v1/completions", R"({"prompt":"abcdefgh"})")).body);
    EXPECT_EQ(answer["choices"][0]["text"], again["choices"][0]["text"]);
  }(*this));
}

TEST_F(ReplicaServerTest, ErrorsAreVllms) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    ClientAnswer answer =
        co_await t.send("POST", "/v1/chat/completions",
                        R"({"model":"other","messages":[{"role":"user","content":"x"}]})");
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(json::parse(answer.body)["error"]["type"], "NotFoundError");
    answer = co_await t.send("POST", "/v1/chat/completions", "{nonsense");
    EXPECT_EQ(answer.status, 400);
    answer = co_await t.send("POST", "/v1/chat/completions", chat(std::string(70'000, 'x'), 5));
    EXPECT_EQ(answer.status, 400);
    EXPECT_THAT(answer.body, HasSubstr("maximum context length is 16000 tokens"));
    answer = co_await t.send("POST", "/v1/nothing", "{}");
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.body, R"({"detail":"Not Found"})");
    answer = co_await t.send("GET", "/v1/chat/completions");
    EXPECT_EQ(answer.status, 405);
    EXPECT_TRUE(t.server_->engine().idle());
  }(*this));
}

TEST_F(ReplicaServerTest, ALongestSequenceIsServedAndOneTokenMoreIsNot) {
  ReplicaServerParams params = small();
  params.max_model_len = TokenCount(100);
  start(params);
  run([](ReplicaServerTest& t) -> Task<void> {
    const std::string text(4 * 88, 'x');  // 90 tokens with its two roles
    EXPECT_EQ((co_await t.send("POST", "/v1/chat/completions", chat(text, 10))).status, 200);
    EXPECT_EQ((co_await t.send("POST", "/v1/chat/completions", chat(text, 11))).status, 400);
  }(*this));
}

TEST_F(ReplicaServerTest, ModelsHealthAndTokenize) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    EXPECT_EQ((co_await t.send("GET", "/health")).status, 200);
    const json models = json::parse((co_await t.send("GET", "/v1/models")).body);
    EXPECT_EQ(models["data"][0]["id"], "tiny");
    EXPECT_EQ(models["data"][0]["max_model_len"], 16'000);
    const json tokens =
        json::parse((co_await t.send("POST", "/tokenize", R"({"prompt":"abcdefgh"})")).body);
    EXPECT_EQ(tokens["count"], 2);
  }(*this));
}

TEST_F(ReplicaServerTest, RefusesWhenTooManyWait) {
  ReplicaServerParams params = small();
  params.engine.max_num_seqs = 1;
  params.max_queued = 1;
  start(params, 1);
  run([](ReplicaServerTest& t) -> Task<void> {
    HttpClient running(t.reactor_, t.address_, "x");
    HttpClient waiting(t.reactor_, t.address_, "x");
    const auto occupy = [](HttpClient& client, std::string body) -> Task<void> {
      co_await client.request({.method = "POST", .target = "/v1/chat/completions", .body = body},
                              {});
    };
    t.reactor_.spawn(t.gate_, occupy(running, chat("a", 10'000)));
    t.reactor_.spawn(t.gate_, occupy(waiting, chat("b", 10'000)));
    while (t.server_->engine().gauges().waiting < 1) co_await t.reactor_.sleep(milliseconds(1));
    const ClientAnswer answer = co_await t.send("POST", "/v1/chat/completions", chat("c", 1));
    EXPECT_EQ(answer.status, 503);
    EXPECT_THAT(answer.body, HasSubstr("busy"));
    running.abort();
    waiting.abort();
    while (!t.server_->engine().idle()) co_await t.reactor_.sleep(milliseconds(1));
  }(*this));
}

// Waiting, in prefill, between tokens; with and without a stream.
TEST_F(ReplicaServerTest, AClientThatLeavesIsTakenOutInEveryPhase) {
  ReplicaServerParams params = small();
  params.engine.max_num_seqs = 1;
  params.engine.max_num_batched_tokens = 64;
  start(params, 0.5);
  run([](ReplicaServerTest& t) -> Task<void> {
    const auto post = [](HttpClient& client, std::string body, std::size_t& got) -> Task<void> {
      co_await client.request({.method = "POST", .target = "/v1/chat/completions", .body = body},
                              {}, [&got](std::string_view bytes) {
                                got += bytes.size();
                                return true;
                              });
    };
    for (const bool stream : {false, true}) {
      HttpClient prefill(t.reactor_, t.address_, "x");
      HttpClient waiting(t.reactor_, t.address_, "x");
      std::size_t got = 0;
      t.reactor_.spawn(t.gate_, post(prefill, chat(std::string(40'000, 'x'), 10, stream), got));
      t.reactor_.spawn(t.gate_, post(waiting, chat("b", 10, stream), got));
      while (t.server_->engine().gauges().waiting < 1) co_await t.reactor_.sleep(milliseconds(1));
      waiting.abort();
      while (t.server_->engine().gauges().waiting > 0) co_await t.reactor_.sleep(milliseconds(1));
      EXPECT_EQ(t.server_->engine().gauges().running, 1);
      prefill.abort();
      while (!t.server_->engine().idle()) co_await t.reactor_.sleep(milliseconds(1));
      EXPECT_EQ(t.server_->engine().counters().generated_tokens, 0);
      EXPECT_EQ(got, 0);
    }
    HttpClient decode(t.reactor_, t.address_, "x");
    std::size_t got = 0;
    t.reactor_.spawn(t.gate_, post(decode, chat("a", 5000, true), got));
    while (got == 0) co_await t.reactor_.sleep(milliseconds(1));
    decode.abort();
    while (!t.server_->engine().idle()) co_await t.reactor_.sleep(milliseconds(1));
    EXPECT_EQ(t.server_->engine().counters().aborted, 5);
    EXPECT_EQ(t.server_->engine().gauges().kv_usage(), 0);
  }(*this));
}

TEST_F(ReplicaServerTest, FaultsHappenToTheRequestsTheyArePlannedFor) {
  start(small());
  run([](ReplicaServerTest& t) -> Task<void> {
    const auto plan = [](ReplicaServerTest& test, std::string fault) -> Task<void> {
      EXPECT_EQ((co_await test.send("POST", "/admin/faults", fault)).status, 200) << fault;
    };
    const auto ask = [](ReplicaServerTest& test, std::string& got) -> Task<Expected<ClientAnswer>> {
      got.clear();
      std::string body = chat("hello", 10, true);
      co_return co_await test.client_->request(
          {.method = "POST", .target = "/v1/chat/completions", .body = body}, {},
          [&got](std::string_view bytes) {
            got += bytes;
            return true;
          });
    };
    std::string got;

    co_await plan(t, R"({"kind":"status","status":429,"retry_after":7})");
    const auto refused = co_await ask(t, got);
    EXPECT_EQ(refused->status, 429);
    EXPECT_EQ(refused->field("retry-after"), "7");

    // Twice: the client tries a kept connection that breaks without a byte once more.
    co_await plan(t, R"({"kind":"reset","count":2})");
    EXPECT_FALSE((co_await ask(t, got)).has_value());
    EXPECT_EQ(got, "");

    co_await plan(t, R"({"kind":"truncate","after_tokens":3})");
    EXPECT_FALSE((co_await ask(t, got)).has_value());
    EXPECT_EQ(events(got).size(), 1 + 3);

    co_await plan(t, R"({"kind":"end","after_tokens":2})");
    EXPECT_EQ((co_await ask(t, got))->status, 200);
    EXPECT_EQ(events(got).size(), 1 + 2);
    EXPECT_THAT(got, Not(HasSubstr("[DONE]")));

    co_await plan(t, R"({"kind":"delay","delay_ms":1})");
    EXPECT_EQ((co_await ask(t, got))->status, 200);
    EXPECT_THAT(got, EndsWith("[DONE]\n\n"));

    co_await plan(t, R"({"kind":"stall","after_tokens":2})");
    HttpClient stalled(t.reactor_, t.address_, "x");
    std::size_t tokens = 0;
    const auto wait = [](HttpClient& client, std::string body, std::size_t& seen) -> Task<void> {
      co_await client.request({.method = "POST", .target = "/v1/chat/completions", .body = body},
                              {}, [&](std::string_view bytes) {
                                seen += bytes.size();
                                return true;
                              });
    };
    t.reactor_.spawn(t.gate_, wait(stalled, chat("hello", 10, true), tokens));
    while (tokens == 0) co_await t.reactor_.sleep(milliseconds(1));
    stalled.abort();

    EXPECT_EQ((co_await ask(t, got))->status, 200);  // nothing is left of them
    EXPECT_EQ((co_await t.send("POST", "/admin/faults", "{}")).status, 400);
    co_await plan(t, R"({"kind":"status","status":500,"path":"/health","count":-1})");
    EXPECT_EQ((co_await t.send("GET", "/health")).status, 500);
    EXPECT_THAT((co_await t.send("GET", "/admin/faults")).body, HasSubstr("/health"));
    EXPECT_EQ((co_await t.send("DELETE", "/admin/faults")).status, 200);
    EXPECT_EQ((co_await t.send("GET", "/health")).status, 200);
  }(*this));
}

TEST_F(ReplicaServerTest, AMegabyteOfPromptIsAnswered) {
  ReplicaServerParams params = small();
  params.engine.kv_tokens = TokenCount(400'000);
  start(params, 10'000);
  run([](ReplicaServerTest& t) -> Task<void> {
    const ClientAnswer answer =
        co_await t.send("POST", "/v1/chat/completions", chat(std::string(1 << 20, 'x'), 1));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(json::parse(answer.body)["usage"]["prompt_tokens"], (1 << 18) + 2);
  }(*this));
}

}  // namespace
}  // namespace turnpike::app
