#include "app/load/gateway_cpu.h"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "net/http_client.h"

namespace turnpike::app {

std::optional<double> cpu_seconds_in(std::string_view metrics) {
  constexpr std::string_view kName = "process_cpu_seconds_total ";
  while (!metrics.empty()) {
    const std::string_view line = metrics.substr(0, metrics.find('\n'));
    metrics.remove_prefix(std::min(metrics.size(), line.size() + 1));
    if (!line.starts_with(kName)) continue;
    double seconds = 0;
    const char* const end = line.data() + line.size();
    if (std::from_chars(line.data() + kName.size(), end, seconds).ec != std::errc()) break;
    return seconds;
  }
  return std::nullopt;
}

net::Task<Expected<double>> cpu_seconds(net::Reactor& reactor, net::Address admin,
                                        std::string authority) {
  net::HttpClient client(reactor, admin, std::move(authority));
  const auto answer = co_await client.request({.target = "/metrics"}, {});
  if (!answer) co_return fail(answer.error().message);
  if (answer->status != 200) co_return fail(fmt::format("/metrics answers {}", answer->status));
  const auto seconds = cpu_seconds_in(answer->body);
  if (!seconds) co_return fail("/metrics has no process_cpu_seconds_total");
  co_return *seconds;
}

}  // namespace turnpike::app
