#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "core/journal/event.h"

namespace turnpike::core {

// One request of a journal, with what became of it as far as the journal says.
struct RecordedRequest {
  TimePoint arrival{};
  std::uint32_t pool = 0;
  Submission submission;  // sizes as estimated at submission; blocks; session, tenant, priority
  int attempts_failed = 0;
  std::optional<TimePoint> first_token;  // as reported by a streamed answer
  std::optional<TimePoint>
      ended;  // settled or cancelled; none: still open, or turned away by the pool
  bool cancelled_in_queue = false;
  std::optional<Settlement> settlement;  // ending and true sizes
};

struct RecordedRequests {
  std::vector<RecordedRequest> requests;  // by arrival
  std::uint64_t gaps = 0;                 // places where recording was interrupted
};

// All requests of a journal that comes in these pieces, oldest first. An error names the piece and the offset. A piece that breaks
// off (a crash while it was written) counts as a gap if another follows, and as the end if none does.
[[nodiscard]] Expected<RecordedRequests> read_requests(const std::vector<std::string_view>& pieces);

}  // namespace turnpike::core
