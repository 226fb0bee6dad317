#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "telemetry/access_record.h"

namespace turnpike::telemetry {

// An ended request, and when it waited (policy time).
struct RecentRequest {
  AccessRecord record;
  ModelId model;
  TimePoint arrived{};
  TimePoint dispatched = TimePoint::max();  // last; max: never
};

// The requests that ended last, so that one can ask afterwards why it waited: a ring for each worker, the oldest goes first. Adding
// takes a mutex that only a question contends for, and no memory beyond the record's own strings. Any thread.
class RecentRequests {
 public:
  // `capacity` of each of `rings`; 0: nothing is kept.
  RecentRequests(std::size_t capacity, std::size_t rings)
      : capacity_(capacity), rings_(capacity == 0 ? 0 : rings) {}

  [[nodiscard]] bool on() const { return capacity_ > 0; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  void add(std::size_t ring, RecentRequest request);
  [[nodiscard]] std::size_t size() const;

  // The last one with this x-request-id. A copy; looks at all of them.
  [[nodiscard]] std::optional<RecentRequest> find(std::string_view request_id) const;
  // Those of the same model that arrived after it and were dispatched while it waited: at most `limit`, in no order. Of all that did,
  // the ones that have ended and are still kept.
  [[nodiscard]] std::vector<RecentRequest> passed(const RecentRequest& request,
                                                  std::size_t limit) const;

 private:
  struct Ring {
    mutable std::mutex mutex;
    std::vector<RecentRequest> entries;
    std::size_t next = 0;  // where the next one goes, once it is full
  };

  const std::size_t capacity_;
  std::vector<Ring> rings_;
};

}  // namespace turnpike::telemetry
