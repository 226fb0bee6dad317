#include "telemetry/recent_requests.h"

#include <utility>

namespace turnpike::telemetry {

void RecentRequests::add(std::size_t ring, RecentRequest request) {
  if (!on()) return;
  Ring& own = rings_[ring];
  const std::scoped_lock lock(own.mutex);
  if (own.entries.size() < capacity_) {
    own.entries.push_back(std::move(request));
    return;
  }
  own.entries[own.next] = std::move(request);
  own.next = (own.next + 1) % capacity_;
}

std::size_t RecentRequests::size() const {
  std::size_t sum = 0;
  for (const Ring& ring : rings_) {
    const std::scoped_lock lock(ring.mutex);
    sum += ring.entries.size();
  }
  return sum;
}

std::optional<RecentRequest> RecentRequests::find(std::string_view request_id) const {
  std::optional<RecentRequest> found;
  for (const Ring& ring : rings_) {
    const std::scoped_lock lock(ring.mutex);
    for (const RecentRequest& entry : ring.entries) {
      if (entry.record.request_id != request_id) continue;
      if (!found || entry.arrived >= found->arrived) found = entry;
    }
  }
  return found;
}

std::vector<RecentRequest> RecentRequests::passed(const RecentRequest& request,
                                                  std::size_t limit) const {
  std::vector<RecentRequest> list;
  const TimePoint until = request.dispatched != TimePoint::max()
                              ? request.dispatched
                              : request.arrived + request.record.total;
  for (const Ring& ring : rings_) {
    const std::scoped_lock lock(ring.mutex);
    for (const RecentRequest& entry : ring.entries) {
      if (list.size() == limit) return list;
      if (entry.model == request.model && entry.arrived > request.arrived &&
          entry.dispatched < until) {
        list.push_back(entry);
      }
    }
  }
  return list;
}

}  // namespace turnpike::telemetry
