#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "net/address.h"
#include "net/reactor.h"

namespace turnpike::app {

// `process_cpu_seconds_total` of a metrics page; nothing if it is not there.
std::optional<double> cpu_seconds_in(std::string_view metrics);

// The CPU time of the process behind an admin API, in seconds since it was started. Errors are sentences.
net::Task<Expected<double>> cpu_seconds(net::Reactor& reactor, net::Address admin,
                                        std::string authority);

}  // namespace turnpike::app
