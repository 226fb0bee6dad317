#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/units.h"
#include "net/address.h"
#include "net/stream.h"

namespace turnpike::net {

struct ConnectionPoolLimits {
  std::size_t idle_per_key = 256;  // kept connections to one endpoint
  Duration idle_time =
      std::chrono::milliseconds(4000);  // below the 5 s after which many engines hang up
};

// Idle connections to upstream servers, per server, newest first (the one that is warm, and least likely to be closed). A parked
// connection is watched: when its peer closes it or speaks out of turn it is dropped at once and never handed out. The
// reactor's thread only.
class ConnectionPool {
 public:
  ConnectionPool(Reactor& reactor, Gate& gate, const ConnectionPoolLimits& limits);
  ConnectionPool(const ConnectionPool&) = delete;
  ConnectionPool& operator=(const ConnectionPool&) = delete;
  ~ConnectionPool() = default;

  // A parked connection to `key`, told to notify `signal` from now on; null: none.
  std::unique_ptr<Stream> take(std::uint32_t key, Signal& signal);
  // Parks a connection whose last answer has been read to its end.
  void park(std::uint32_t key, std::unique_ptr<Stream> stream);
  void drop(std::uint32_t key) { parked_.erase(key); }
  // Drops all connections and ends the task that watches them.
  void close();

  [[nodiscard]] std::size_t size() const;

 private:
  struct Parked {
    std::unique_ptr<Stream> stream;
    TimePoint since;
  };

  Task<void> watch();
  void sweep(TimePoint now);

  Reactor& reactor_;
  const ConnectionPoolLimits& limits_;
  Signal changed_;
  Deadline tick_;
  bool closing_ = false;
  absl::flat_hash_map<std::uint32_t, std::vector<Parked>> parked_;
};

}  // namespace turnpike::net
