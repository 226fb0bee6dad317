#pragma once

#include <cstdint>
#include <unordered_map>

#include "event_loop.h"

namespace turnpike::bench {

// How an upstream answers one request; the client asks for it in the header `x-bench: MODE [INTERVAL_US]`.
enum class Mode : std::uint8_t {
  answer,  // a whole chat completion at once
  events,  // a stream with one event every interval, without end; all streams at once, as an engine's step gives them
  spread,  // the same, each stream at a time of its own
  silent,  // a stream that says one token, then nothing more
  never,   // not even a response head
  flood,   // a stream as fast as it is read, without end
};

struct UpstreamCounters {
  std::uint64_t requests = 0;
  std::uint64_t serving = 0;    // requests received and neither answered nor abandoned
  std::uint64_t abandoned = 0;  // requests whose connection was closed before their answer ended
  Clock::time_point last_abandoned;
};

// A model server reduced to its wire: chat completions as vLLM writes them, with usage; models, health and metrics for
// gateways that ask. Runs in the caller's loop.
class Upstream {
 public:
  Upstream(EventLoop& loop, std::uint16_t port);

  const UpstreamCounters& counters() const { return counters_; }

 private:
  class Connection;
  class Listener;

  EventLoop& loop_;
  UpstreamCounters counters_;
  std::uint64_t next_serial_ = 1;
  // Streams with a timer, by serial number: a timer finds here whether its stream still exists.
  std::unordered_map<std::uint64_t, Connection*> live_;
};

}  // namespace turnpike::bench
