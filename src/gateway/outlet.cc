#include "gateway/outlet.h"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace turnpike::gateway {

namespace {

// The system takes at most this many pieces in one call (IOV_MAX).
constexpr std::size_t kMaxPieces = 1024;

}  // namespace

bool Outlet::offer(std::span<iovec> pieces) {
  assert(!blocked());
  while (!pieces.empty()) {
    const net::Transfer transfer = stream_.write(pieces.first(std::min(pieces.size(), kMaxPieces)));
    if (transfer.is_over()) return false;
    std::size_t taken = transfer.bytes;
    while (!pieces.empty() && taken >= pieces.front().iov_len) {
      taken -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (!pieces.empty() && taken > 0) {
      pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + taken;
      pieces.front().iov_len -= taken;
    }
    if (!pieces.empty() && !stream_.maybe_writable()) break;
    if (transfer.status == net::Transfer::Status::would_block) break;
  }
  for (const iovec& piece : pieces) {
    kept_.append({static_cast<const char*>(piece.iov_base), piece.iov_len});
  }
  return true;
}

bool Outlet::flush() {
  while (!kept_.empty()) {
    const net::Transfer transfer = stream_.write(kept_.view());
    if (transfer.is_over()) return false;
    kept_.consume(transfer.bytes);
    if (transfer.status == net::Transfer::Status::would_block || !stream_.maybe_writable()) break;
  }
  if (kept_.empty()) kept_.release();
  return true;
}

}  // namespace turnpike::gateway
