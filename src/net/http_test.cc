#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/http_client.h"
#include "net/http_server.h"

namespace turnpike::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A server and whatever a test does to it, on one reactor.
struct Loop {
  Reactor reactor;
  Gate gate{reactor};
  Address address;

  Task<void> run_and_stop(HttpServer& server, Task<void> body) {
    co_await std::move(body);
    co_await server.drain();
    reactor.stop();
  }
  void run(HttpServer& server, Task<void> body) {
    std::exception_ptr failure;
    reactor.on_task_failure = [&](std::exception_ptr e) {
      failure = std::move(e);
      reactor.stop();
    };
    reactor.spawn(gate, run_and_stop(server, std::move(body)));
    reactor.run();
    if (failure) std::rethrow_exception(failure);
  }
};

Address listen(HttpServer& server) {
  return *server.listen(*Address::parse("127.0.0.1:0"));
}

Task<void> echo(Exchange& exchange) {
  if (exchange.path() == "/stream") {
    co_await exchange.begin_stream(200, "text/event-stream");
    co_await exchange.send("one");
    co_await exchange.send("two");
    co_await exchange.end_stream();
  } else if (exchange.path() == "/cut") {
    co_await exchange.begin_stream(200, "text/plain");
    co_await exchange.send("half");
  } else {
    co_await exchange.respond(200, "text/plain",
                              std::string(exchange.head().method) + " " +
                                  std::string(exchange.head().target) +
                                  " q=" + exchange.query("q") + " " + std::string(exchange.body()));
  }
}

// Sends raw bytes and collects what comes until the peer closes (or the time is up).
Task<std::string> raw(Reactor& reactor, Address address, std::vector<std::string> pieces) {
  Signal signal(reactor);
  Deadline deadline(signal);
  Stream stream(reactor, *Stream::start_connect(address), signal, Stream::Connecting{});
  deadline.arm(seconds(5));
  co_await wait_connected(stream, signal, &deadline);
  std::string got;
  for (const std::string& piece : pieces) {
    co_await write_all(stream, signal, piece, &deadline);
    co_await reactor.sleep(milliseconds(2));  // lets the piece arrive by itself
  }
  std::array<char, 4096> buffer;
  while (true) {
    const Transfer transfer = co_await read_some(stream, signal, buffer, &deadline);
    if (transfer.status != Transfer::Status::ok) break;
    got.append(buffer.data(), transfer.bytes);
  }
  co_return got;
}

TEST(Http, AnswersAndKeepsTheConnection) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, HttpServer& s, Address a) -> Task<void> {
    HttpClient client(l.reactor, a, "test");
    for (int i = 0; i < 3; ++i) {
      const auto answer =
          co_await client.request({.method = "POST", .target = "/x?q=a%20b", .body = "hello"}, {});
      EXPECT_TRUE(answer) << answer.error().message;
      EXPECT_EQ(answer->status, 200);
      EXPECT_EQ(answer->body, "POST /x?q=a%20b q=a b hello");
      EXPECT_EQ(s.connections(), 1U);
    }
  };
  loop.run(server, body(loop, server, address));
}

TEST(Http, ReadsAStreamChunkByChunk) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    HttpClient client(l.reactor, a, "test");
    std::string got;
    const auto answer =
        co_await client.request({.target = "/stream"}, {}, [&](std::string_view piece) {
          got += piece;
          return true;
        });
    EXPECT_TRUE(answer);
    EXPECT_EQ(got, "onetwo");
    EXPECT_EQ(answer->field("content-type"), "text/event-stream");
  };
  loop.run(server, body(loop, address));
}

TEST(Http, HalfAnAnswerIsAnError) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    HttpClient client(l.reactor, a, "test");
    const auto answer = co_await client.request({.target = "/cut"}, {});
    EXPECT_FALSE(answer);
  };
  loop.run(server, body(loop, address));
}

TEST(Http, TakesPipelinedRequestsAndBodiesInPieces) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    const std::string got = co_await raw(
        l.reactor, a,
        {"POST /1 HTTP/1.1\r\nHo", "st: x\r\nContent-Length: 4\r\n\r\nab",
         "cdPOST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r",
         "\n2\r\nde\r\n0\r\n\r\nGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"});
    EXPECT_THAT(got, HasSubstr("POST /1 q= abcd"));
    EXPECT_THAT(got, HasSubstr("POST /2 q= abcde"));
    EXPECT_THAT(got, HasSubstr("GET /3 q= "));
  };
  loop.run(server, body(loop, address));
}

TEST(Http, ExpectContinueIsAnsweredBeforeTheBody) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    const std::string got =
        co_await raw(l.reactor, a,
                     {"POST /1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: "
                      "2\r\nConnection: close\r\n\r\n",
                      "ab"});
    EXPECT_THAT(got, StartsWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"));
  };
  loop.run(server, body(loop, address));
}

TEST(Http, RefusesWhatIsNotHttpAndCloses) {
  Loop loop;
  HttpServer server(loop.reactor, echo);
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    EXPECT_THAT(co_await raw(l.reactor, a, {"\x16\x03\x01 hello\r\n\r\n"}),
                StartsWith("HTTP/1.1 400"));
    EXPECT_THAT(co_await raw(l.reactor, a,
                             {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
                              "1\r\nTransfer-Encoding: chunked\r\n\r\n"}),
                StartsWith("HTTP/1.1 400"));
  };
  loop.run(server, body(loop, address));
}

TEST(Http, BodyLimitIsExact) {
  for (const bool chunked : {false, true}) {
    Loop loop;
    HttpServerLimits limits;
    limits.body_bytes = 8;
    HttpServer server(loop.reactor, echo, limits);
    const Address address = listen(server);
    const auto body = [](Loop& l, Address a, bool c) -> Task<void> {
      const auto post = [&](std::string_view text) {
        return c ? "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
                   "chunked\r\n\r\n" +
                       std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n0\r\n\r\n"
                 : "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                       std::to_string(text.size()) + "\r\n\r\n" + std::string(text);
      };
      EXPECT_THAT(co_await raw(l.reactor, a, {post("12345678")}), StartsWith("HTTP/1.1 200"));
      EXPECT_THAT(co_await raw(l.reactor, a, {post("123456789")}), StartsWith("HTTP/1.1 413"));
    };
    loop.run(server, body(loop, address, chunked));
  }
}

TEST(Http, AHandlerSeesItsClientLeave) {
  Loop loop;
  bool saw_it = false;
  HttpServer server(loop.reactor, [&](Exchange& exchange) -> Task<void> {
    while (!exchange.gone()) co_await exchange.signal().wait();
    saw_it = true;
  });
  const Address address = listen(server);
  const auto body = [](Loop& l, Address a) -> Task<void> {
    HttpClient client(l.reactor, a, "test");
    ClientLimits limits;
    limits.silence = milliseconds(20);
    EXPECT_FALSE(co_await client.request({}, limits));
  };
  loop.run(server, body(loop, address));
  EXPECT_TRUE(saw_it);
}

TEST(Http, AKeptConnectionThatWasClosedIsReplaced) {
  Loop loop;
  HttpServerLimits limits;
  limits.idle = milliseconds(5);
  HttpServer server(loop.reactor, echo, limits);
  const Address address = listen(server);
  const auto body = [](Loop& l, HttpServer& s, Address a) -> Task<void> {
    HttpClient client(l.reactor, a, "test");
    EXPECT_TRUE(co_await client.request({}, {}));
    while (s.connections() > 0) co_await l.reactor.sleep(milliseconds(1));
    EXPECT_TRUE(co_await client.request({}, {}));
  };
  loop.run(server, body(loop, server, address));
}

TEST(Http, PostedWorkRunsInOrderFromOtherThreads) {
  Reactor reactor;
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      reactor.post([&order, i] { order.push_back(i); });
    }
    reactor.post([&] { reactor.stop(); });
  });
  reactor.run();
  other.join();
  ASSERT_EQ(order.size(), 1000U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(Http, AnExceptionThatLeavesATaskIsCounted) {
  Reactor reactor;
  Gate gate(reactor);
  const auto fails = []() -> Task<void> {
    throw std::runtime_error("broken");
    co_return;
  };
  std::string what;
  reactor.on_task_failure = [&](std::exception_ptr e) {
    try {
      std::rethrow_exception(e);
    } catch (const std::exception& caught) {
      what = caught.what();
    }
  };
  reactor.spawn(gate, fails());
  EXPECT_EQ(gate.count(), 0U);
  EXPECT_EQ(reactor.failed_tasks(), 1U);
  EXPECT_EQ(what, "broken");
}

}  // namespace
}  // namespace turnpike::net
