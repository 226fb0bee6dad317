#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/queue/rank.h"

namespace turnpike::core {

// Counts how often waiting requests were overtaken: dispatched later than one that arrived after them.
//
// Only the dispatches that arrived after the earliest waiting request can have overtaken anybody, so only those are kept, in order
// of arrival; everybody's count is then the number of kept ones after his own arrival. The list stays as short as the bound on
// overtaking, because the earliest one has the highest count. O(bound).
class Overtakes {
 public:
  // How many dispatches overtook a request that has waited since `arrival`.
  [[nodiscard]] int of(const Arrival& arrival) const {
    return static_cast<int>(later_.end() - std::ranges::upper_bound(later_, arrival));
  }

  // A request went out while `earliest` was, and is, still waiting. True if it overtook that one.
  bool dispatched(const Arrival& arrival, const Arrival& earliest) {
    earliest_is(earliest);
    if (arrival < earliest) return false;
    // The cap only bites while the earliest one cannot go whatever its rank is.
    if (later_.size() < kCap) later_.insert(std::ranges::upper_bound(later_, arrival), arrival);
    return true;
  }

  // Forgets what came before everybody who still waits.
  void earliest_is(const Arrival& earliest) {
    later_.erase(later_.begin(), std::ranges::lower_bound(later_, earliest));
  }
  void nobody_waits() { later_.clear(); }

 private:
  static constexpr std::size_t kCap = 1024;
  std::vector<Arrival> later_;
};

}  // namespace turnpike::core
