#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/queue/order_params.h"

namespace turnpike::core {

// Which sessions completed a turn recently: the max_sessions most recent ones, as far as they completed less than `ttl` ago.
// Only a completion refreshes; looking does not. The id of nothing is never tracked. O(1) amortised.
class BoostTracker {
 public:
  explicit BoostTracker(const BoostParams& params) : params_(params) {}

  void set_params(const BoostParams& params);
  void completed(SessionKey session, TimePoint now);
  void forget(SessionKey session) { entries_.erase(session); }

  // As if the other's completions had happened here.
  void absorb(const BoostTracker& other, TimePoint now);

  // A number that is greater for a later completion; nothing for a session that is not tracked.
  [[nodiscard]] std::optional<std::uint64_t> recency(SessionKey session, TimePoint now) const;
  // Tracked sessions; those that have aged out but have not been swept yet count.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Completion {
    TimePoint at;
    std::uint64_t recency = 0;
  };

  [[nodiscard]] bool aged(TimePoint at, TimePoint now) const;
  [[nodiscard]] bool is_void(const std::pair<SessionKey, Completion>& element) const;
  void sweep(TimePoint now);

  BoostParams params_;
  absl::flat_hash_map<SessionKey, Completion> entries_;
  // In order of completion; an element whose session completed again since, or is forgotten, is void.
  std::deque<std::pair<SessionKey, Completion>> by_age_;
  std::uint64_t completions_ = 0;
};

}  // namespace turnpike::core
