#include <array>
#include <memory>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "net/certificates_test_support.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls_context.h"

namespace turnpike::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

Task<void> echo(Exchange& exchange) {
  co_await exchange.respond(200, "text/plain", exchange.body());
}

std::shared_ptr<const TlsContext> client_context(const TlsClientSettings& settings) {
  auto context = TlsContext::for_client(settings);
  if (!context) throw std::runtime_error(context.error().message);
  return std::make_shared<const TlsContext>(std::move(*context));
}

// A server that speaks TLS as "localhost", and a loop to run a test in.
class Tls : public ::testing::Test {
 protected:
  Tls() {
    settings_.certificate = pair_.certificate;
    settings_.key = pair_.key;
  }

  TlsContext context() const {
    auto made = TlsContext::for_server(settings_);
    if (!made) throw std::runtime_error(made.error().message);
    return std::move(*made);
  }

  void start(const HttpServerLimits& limits = {}) {
    board_ = std::make_unique<TlsBoard>(std::make_shared<const TlsContext>(context()));
    server_ = std::make_unique<HttpServer>(reactor_, echo, limits);
    server_->use_tls(*board_);
    address_ = *server_->listen(*Address::parse("127.0.0.1:0"));
  }

  std::unique_ptr<HttpClient> client(const TlsClientSettings& settings,
                                     const std::string& name = "localhost") {
    auto made = std::make_unique<HttpClient>(reactor_, address_, name);
    made->use_tls(client_context(settings), name);
    return made;
  }

  Task<void> run_and_stop(Task<void> body) {
    co_await std::move(body);
    co_await server_->drain();
    reactor_.stop();
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

  TestCertificates certificates_;
  const std::string ca_ = certificates_.authority("ca");
  const TestCertificates::Pair pair_ = certificates_.issue("ca", "server", "localhost");
  TlsServerSettings settings_;
  Reactor reactor_;
  Gate gate_{reactor_};
  std::unique_ptr<TlsBoard> board_;
  std::unique_ptr<HttpServer> server_;
  Address address_;
};

Task<void> expect_answer(HttpClient& client, std::string body) {
  const auto answer = co_await client.request({.method = "POST", .body = body}, {});
  EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
  if (answer) EXPECT_TRUE(answer->body == body);
}

Task<void> expect_failure(HttpClient& client, std::string why) {
  const auto answer = co_await client.request({}, {});
  EXPECT_FALSE(answer);
  if (!answer) EXPECT_THAT(answer.error().message, HasSubstr(why));
}

TEST_F(Tls, AnswersAndKeepsTheConnection) {
  start();
  const auto body = [](HttpServer& server, HttpClient& client) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await expect_answer(client, "hello");
      EXPECT_EQ(server.connections(), 1U);
    }
  };
  const auto c = client({.ca = ca_});
  run(body(*server_, *c));
}

TEST_F(Tls, CarriesBodiesOfAnySizeUnchanged) {
  start();
  const auto body = [](HttpClient& client) -> Task<void> {
    std::string text(std::size_t{5} << 20U, '\0');
    for (std::size_t i = 0; i < text.size(); ++i)
      text[i] = static_cast<char>(i * 2654435761U >> 24U);
    // Around a record's size, and more than any socket holds.
    for (const std::size_t size : {1UL, 16383UL, 16384UL, 16385UL, 65536UL, text.size()})
      co_await expect_answer(client, text.substr(0, size));
  };
  const auto c = client({.ca = ca_});
  run(body(*c));
}

TEST_F(Tls, AServerMustShowACertificateThatIsTrustedAndItsOwn) {
  start();
  const std::string other = certificates_.authority("other");
  const auto body = [](HttpClient& untrusted, HttpClient& misnamed, HttpClient& by_address,
                       HttpClient& careless) -> Task<void> {
    co_await expect_failure(untrusted, "certificate");
    co_await expect_failure(misnamed, "ostname mismatch");
    co_await expect_failure(by_address, "IP address mismatch");
    co_await expect_answer(careless, "x");
  };
  const auto untrusted = client({.ca = other});
  const auto misnamed = client({.ca = ca_}, "example.org");
  const auto by_address = client({.ca = ca_}, "127.0.0.1");
  const auto careless = client({.verify = false}, "example.org");
  run(body(*untrusted, *misnamed, *by_address, *careless));
}

TEST_F(Tls, AnAddressIsANameToo) {
  const auto pair = certificates_.issue("ca", "address", "IP:127.0.0.1");
  settings_.certificate = pair.certificate;
  settings_.key = pair.key;
  start();
  const auto c = client({.ca = ca_}, "127.0.0.1");
  run(expect_answer(*c, "x"));
}

TEST_F(Tls, ClientsShowCertificatesWhereTheyMust) {
  settings_.client_ca = certificates_.authority("clients");
  settings_.client_certificates = ClientCertificates::required;
  const auto known = certificates_.issue("clients", "known", "somebody");
  const auto stranger = certificates_.issue("ca", "stranger", "somebody");
  start();
  const auto body = [](HttpClient& with, HttpClient& without, HttpClient& wrong) -> Task<void> {
    co_await expect_answer(with, "x");
    EXPECT_FALSE(co_await without.request({}, {}));
    EXPECT_FALSE(co_await wrong.request({}, {}));
  };
  const auto with = client({.ca = ca_, .certificate = known.certificate, .key = known.key});
  const auto without = client({.ca = ca_});
  const auto wrong = client({.ca = ca_, .certificate = stranger.certificate, .key = stranger.key});
  run(body(*with, *without, *wrong));
}

TEST_F(Tls, AnOptionalClientCertificateMustStillBeGood) {
  settings_.client_ca = certificates_.authority("clients");
  settings_.client_certificates = ClientCertificates::optional;
  const auto stranger = certificates_.issue("ca", "stranger", "somebody");
  start();
  const auto body = [](HttpClient& without, HttpClient& wrong) -> Task<void> {
    co_await expect_answer(without, "x");
    EXPECT_FALSE(co_await wrong.request({}, {}));
  };
  const auto without = client({.ca = ca_});
  const auto wrong = client({.ca = ca_, .certificate = stranger.certificate, .key = stranger.key});
  run(body(*without, *wrong));
}

TEST_F(Tls, ANewCertificateIsForNewConnections) {
  start();
  const std::string next_ca = certificates_.authority("next");
  const auto next = certificates_.issue("next", "renewed", "localhost");
  const auto body = [](TlsBoard& board, TlsContext renewed, HttpClient& running,
                       HttpClient& fresh) -> Task<void> {
    co_await expect_answer(running, "x");
    board.publish(std::make_shared<const TlsContext>(std::move(renewed)));
    co_await expect_answer(running, "y");
    co_await expect_answer(fresh, "z");
  };
  settings_.certificate = next.certificate;
  settings_.key = next.key;
  const auto running = client({.ca = ca_});
  const auto fresh = client({.ca = next_ca});
  run(body(*board_, context(), *running, *fresh));
}

// Connects, says `first`, and returns what comes until the server closes.
Task<std::string> raw(Reactor& reactor, Address address, std::string first) {
  Signal signal(reactor);
  Deadline deadline(signal);
  Stream stream(reactor, *Stream::start_connect(address), signal, Stream::Connecting{});
  deadline.arm(seconds(5));
  co_await wait_connected(stream, signal, &deadline);
  co_await write_all(stream, signal, first, &deadline);
  std::string got;
  std::array<char, 4096> buffer;
  while (true) {
    const Transfer transfer = co_await read_some(stream, signal, buffer, &deadline);
    if (transfer.status != Transfer::Status::ok) break;
    got.append(buffer.data(), transfer.bytes);
  }
  EXPECT_FALSE(deadline.expired());
  co_return got;
}

TEST_F(Tls, AHandshakeThatIsNoneOrTakesTooLongEnds) {
  HttpServerLimits limits;
  limits.head_arrival = milliseconds(20);
  start(limits);
  const auto body = [](Reactor& reactor, HttpServer& server, Address address) -> Task<void> {
    EXPECT_EQ(co_await raw(reactor, address, ""), "");
    const std::string refusal = co_await raw(reactor, address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(refusal, ::testing::Not(StartsWith("HTTP")));
    EXPECT_EQ(server.connections(), 0U);
  };
  run(body(reactor_, *server_, address_));
}

TEST_F(Tls, AnAnswerThatIsCutOffIsNotAWholeOne) {
  for (const bool says_end : {true, false}) {
    Reactor reactor;
    Gate gate(reactor);
    TlsBoard board(std::make_shared<const TlsContext>(context()));
    Fd fd = *listen_on(*Address::parse("127.0.0.1:0"), false);
    const Address address = local_address(fd.get());
    Listener listener(reactor, std::move(fd));
    const auto serve = [](Reactor& r, Listener& l, TlsBoard& b, bool end) -> Task<void> {
      Signal signal(r);
      Stream stream(r, co_await l.accept(), signal, b.current()->accept());
      while (stream.connecting()) co_await signal.wait();
      std::array<char, 4096> buffer;
      co_await read_some(stream, signal, buffer, nullptr);
      co_await write_all(stream, signal, "HTTP/1.1 200 OK\r\n\r\nhalf of it", nullptr);
      // The end of the socket alone is not what TLS says at the end.
      if (!end) {
        ::shutdown(stream.fd(), SHUT_WR);
        co_await read_some(stream, signal, buffer, nullptr);
        stream.reset_on_close();
      }
    };
    const auto ask = [](Reactor& r, Address a, const TlsClientSettings& settings,
                        bool end) -> Task<void> {
      HttpClient client(r, a, "localhost");
      client.use_tls(client_context(settings), "localhost");
      const auto answer = co_await client.request({}, {});
      EXPECT_EQ(answer.has_value(), end);
      r.stop();
    };
    reactor.spawn(gate, serve(reactor, listener, board, says_end));
    reactor.spawn(gate, ask(reactor, address, {.ca = ca_}, says_end));
    reactor.run();
  }
}

TEST_F(Tls, WhatIsWrongWithAFileIsSaidWithItsName) {
  const auto other = certificates_.issue("ca", "other", "localhost");
  settings_.key = other.key;
  const auto mismatch = TlsContext::for_server(settings_);
  ASSERT_FALSE(mismatch);
  EXPECT_THAT(mismatch.error().message, HasSubstr(other.key));
  settings_.certificate = "/no/such/file.pem";
  const auto missing = TlsContext::for_server(settings_);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/no/such/file.pem"));
  EXPECT_FALSE(TlsContext::for_client({.ca = "/no/such/ca.pem"}));
}

TEST_F(Tls, KnowsWhenItsCertificateEnds) {
  const auto left = context().expires() - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(50));
  EXPECT_LT(left, std::chrono::minutes(70));
}

}  // namespace
}  // namespace turnpike::net
