#pragma once

#include <functional>

#include <signal.h>

#include "net/fd.h"
#include "net/reactor.h"

namespace turnpike::app {

// SIGTERM and SIGINT as calls on a reactor's thread: the first asks for an orderly end, every further one for an end at once; and
// SIGHUP, which asks for the configuration to be read again. Must be made before other threads start, because it blocks the signals for the calling thread and those it starts.
class Termination final : public net::EventSource {
 public:
  // `on_signal` gets how many signals to end there have been, from 1. `on_hangup`: none: SIGHUP ends the process, as ever.
  explicit Termination(net::Reactor& reactor, std::function<void(int)> on_signal,
                       std::function<void()> on_hangup = nullptr);
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;
  ~Termination();

  void on_ready(std::uint32_t events) override;

 private:
  net::Reactor& reactor_;
  std::function<void(int)> on_signal_;
  std::function<void()> on_hangup_;
  sigset_t awaited_;
  net::Fd fd_;
  int count_ = 0;
};

}  // namespace turnpike::app
