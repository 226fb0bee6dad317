#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "gateway/gateway.h"
#include "net/http_server.h"

namespace turnpike::admin {

// What came of reading the configuration again.
struct ReloadReport {
  bool taken = false;  // else the old one stays in force, and `errors` say why
  std::vector<std::string> errors;
  std::vector<std::string> changed;        // keys whose new values are in force
  std::vector<std::string> needs_restart;  // keys whose new values are not
};

// The admin listener: liveness, readiness, metrics, and what the gateway knows, as JSON. Lists are bounded and paged. It
// never blocks a worker longer than one question to the owner. The control thread only.
class AdminApi {
 public:
  // `reload` reads the configuration again; its argument says who wanted it.
  using Reload = std::function<ReloadReport(std::string_view why)>;
  AdminApi(gateway::Gateway& gateway, Reload reload);

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
  net::Task<void> change_endpoint(net::Exchange& exchange);
  net::Task<void> reload(net::Exchange& exchange);
  net::Task<void> queue(net::Exchange& exchange);
  net::Task<void> request(net::Exchange& exchange, std::string_view id);
  net::Task<void> sessions(net::Exchange& exchange);
  net::Task<void> session(net::Exchange& exchange, std::string_view key);
  net::Task<void> end_session(net::Exchange& exchange, std::string_view key);

  gateway::Gateway& gateway_;
  Reload reload_;
  net::HttpServer server_;
};

}  // namespace turnpike::admin
