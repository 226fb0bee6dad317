#include "gateway/fleet.h"

#include <atomic>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "net/http_server.h"

namespace turnpike::gateway {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::atomic<int> asked;

// A name that has no address at first.
Expected<std::vector<net::Address>> resolve(const std::string& host, std::uint16_t port) {
  if (host == "late" && ++asked < 3) return fail("cannot resolve 'late': not yet");
  return net::Address::resolve("127.0.0.1", port);
}

net::Task<void> engine(net::Exchange& exchange) {
  const bool models = exchange.path() == "/v1/models";
  co_await exchange.respond(200, "application/json", models ? R"({"data":[{"id":"tiny"}]})" : "{}");
}

net::Task<void> until_well(Fleet& fleet, net::HttpServer& server, net::Reactor& reactor,
                           const bool& in_pool) {
  net::Signal tick(reactor);
  net::Deadline deadline(tick);
  while (!in_pool) {
    deadline.arm(std::chrono::milliseconds(1));
    while (!deadline.expired()) co_await tick.wait();
  }
  co_await fleet.stop();
  server.abort_all();
  co_await server.drain();
  reactor.stop();
}

TEST(Fleet, ABackendWithoutAddressIsOutUntilItsNameHasOne) {
  asked = 0;
  net::Reactor reactor;
  net::Gate gate(reactor);
  net::HttpServer server(reactor, engine);
  const auto address = server.listen(*net::Address::parse("127.0.0.1:0"));
  ASSERT_TRUE(address);
  const std::string text = address->to_string();
  Settings settings;
  settings.backends = {{.url = "http://late" + text.substr(text.rfind(':')), .name = "late"}};
  const ScaledClock clock(1000);
  Owner owner(clock, *core::preset("fcfs"));
  DirectoryBoard board;
  std::vector<std::string> log;
  bool in_pool = false;
  Fleet fleet(
      reactor, settings, clock, owner, board,
      [&](Severity /*severity*/, std::string_view line) {
        log.emplace_back(line);
        if (line.contains("serves tiny")) in_pool = true;
      },
      resolve);

  ASSERT_TRUE(fleet.start());
  EXPECT_FALSE(fleet.status().front().healthy);
  EXPECT_THAT(fleet.status().front().trouble, HasSubstr("not yet"));
  EXPECT_THAT(log, Contains(HasSubstr("endpoint late is out: cannot resolve")));

  reactor.spawn(gate, until_well(fleet, server, reactor, in_pool));
  reactor.run();
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(fleet.status().front().healthy);
  EXPECT_THAT(log, Contains("endpoint late is well again"));
  EXPECT_EQ(board.current()->endpoint(EndpointId(0))->address.to_string(), text);
}

}  // namespace
}  // namespace turnpike::gateway
