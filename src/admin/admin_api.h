#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

namespace turnpike::admin {

// The admin listener: liveness, readiness, metrics, and what the gateway knows, as JSON. Lists are bounded and paged. Reads only; it
// never blocks a worker longer than one question to the owner. The control thread only.
class AdminApi {
 public:
  explicit AdminApi(gateway::Gateway& gateway);

  Expected<net::Address> listen(const net::Address& address) { return server_.listen(address); }
  net::Task<void> drain() { return server_.drain(); }
  void abort_all() { server_.abort_all(); }

 private:
  net::Task<void> handle(net::Exchange& exchange);
  net::Task<void> readyz(net::Exchange& exchange);
  net::Task<void> metrics(net::Exchange& exchange);
  net::Task<void> journal(net::Exchange& exchange);
  net::Task<void> pools(net::Exchange& exchange, std::string_view model);
  net::Task<void> endpoints(net::Exchange& exchange);
  net::Task<void> queue(net::Exchange& exchange);
  net::Task<void> request(net::Exchange& exchange, std::string_view id);
  net::Task<void> sessions(net::Exchange& exchange);
  net::Task<void> session(net::Exchange& exchange, std::string_view key);
  net::Task<void> end_session(net::Exchange& exchange, std::string_view key);

  gateway::Gateway& gateway_;
  net::HttpServer server_;
};

}  // namespace turnpike::admin
