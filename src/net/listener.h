#pragma once

#include <cstdint>

#include "net/fd.h"
#include "net/reactor.h"

namespace turnpike::net {

// Takes connections from a listening socket, one task at a time. When the process is out of descriptors or memory it waits
// a moment and tries again, and counts that. The reactor's thread only.
class Listener final : public EventSource {
 public:
  Listener(Reactor& reactor, Fd fd);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() = default;

  // The next connection; no descriptor after close(), once all that had been accepted by the system have been handed out.
  Task<Fd> accept();
  // Takes no connection that arrives from now on.
  void close();

  [[nodiscard]] std::uint64_t exhausted() const { return exhausted_; }
  void on_ready(std::uint32_t) override { signal_.notify(); }

 private:
  Reactor& reactor_;
  Fd fd_;
  Signal signal_;
  Deadline retry_;
  bool closing_ = false;
  std::uint64_t exhausted_ = 0;
};

}  // namespace turnpike::net
