#pragma once

#include <cerrno>
#include <string_view>

#include <unistd.h>

namespace turnpike::telemetry {

// Writes everything, however many calls that takes. False: it failed, and errno says how; some of it may have been written.
inline bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}  // namespace turnpike::telemetry
