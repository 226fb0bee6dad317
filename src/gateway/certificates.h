#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/log.h"
#include "net/tls_context.h"

namespace turnpike::gateway {

// What clients are shown, and the watch over its files: when one has changed they are read again, and new connections get what they
// say; what cannot be used changes nothing. Files are replaced one after the other, so a certificate and the key of another
// are met sooner or later; they count as a failure, and the next look puts it right. The control thread only, but for the board.
class Certificates {
 public:
  Certificates() = default;  // no TLS
  // Reads the files for the first time. Without a certificate there is no TLS, and nothing to watch.
  static Expected<Certificates> load(const net::TlsServerSettings& settings);

  // Null: no TLS. It stays where it is.
  [[nodiscard]] const net::TlsBoard* board() const { return board_.get(); }

  // Reads the files again if one of them has changed since they were last read.
  void look(const Log& log);
  // New files and rules, for new connections. Error, and nothing is changed: they cannot be used. Without TLS before or after
  // nothing is changed either: that takes a restart.
  Expected<void> change(const net::TlsServerSettings& settings);

  struct Status {
    std::uint64_t reloads = 0;
    std::uint64_t failures = 0;
    std::chrono::system_clock::time_point expires{};
  };
  // None: no TLS.
  [[nodiscard]] std::optional<Status> status() const;

 private:
  // A file as it was when it was read: what changes with its content, or when another takes its place.
  struct Stamp {
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  using Stamps = std::array<Stamp, 3>;
  static Stamps stamps_of(const net::TlsServerSettings& settings);

  net::TlsServerSettings settings_;
  std::unique_ptr<net::TlsBoard> board_;
  Stamps seen_;
  std::uint64_t reloads_ = 0;
  std::uint64_t failures_ = 0;
};

}  // namespace turnpike::gateway
