#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <sys/uio.h>

namespace turnpike::net {

// How an attempt to move bytes went. `bytes` counts what moved; `closed`: the peer
// has ended what it sends; `failed`: the connection broke, or was cut off, so that what has come may be a part.
struct Transfer {
  enum class Status : std::uint8_t { ok, would_block, closed, failed };
  Status status = Status::ok;
  std::size_t bytes = 0;

  // The connection is over: nothing will ever move this way again.
  [[nodiscard]] bool is_over() const {
    return status == Status::closed || status == Status::failed;
  }
};

inline iovec as_iovec(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// What the system said when it moved nothing.
Transfer transfer_of_errno(int error);

}  // namespace turnpike::net
