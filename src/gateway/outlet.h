#pragma once

#include <cstddef>
#include <span>

#include <sys/uio.h>

#include "base/byte_buffer.h"
#include "net/stream.h"

namespace turnpike::gateway {

// The way to a client that may read slowly. What the socket does not take at once is kept, and while anything is kept nothing
// more may be offered: whoever fills it stops reading its source, so at most one read's worth is ever held.
class Outlet {
 public:
  explicit Outlet(net::Stream& stream) : stream_(stream) {}

  // Sends `pieces`, or keeps what does not fit. False: the client is gone. Only when not blocked.
  bool offer(std::span<iovec> pieces);
  // Sends what is kept, as far as it goes. False: the client is gone.
  bool flush();

  [[nodiscard]] bool blocked() const { return !kept_.empty(); }
  [[nodiscard]] std::size_t kept() const { return kept_.size(); }

 private:
  net::Stream& stream_;
  ByteBuffer kept_;
};

}  // namespace turnpike::gateway
