#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include <absl/container/flat_hash_map.h>

#include "base/hash_chain.h"
#include "core/pool/events.h"
#include "core/pool/retry_params.h"

namespace turnpike::core {

// First arrival times of requests that left the queue unserved, so that a client which tries again does not start from the back.
// A request is recognised by session and prompt, which make its identity; 0: it cannot be recognised. Bounded; the oldest is
// forgotten first.
class RememberedArrivals {
 public:
  static std::uint64_t identity_of(const Submission& submission) {
    if (submission.session.is_none() || submission.prompt_hash == 0) return 0;
    return chain_hash(submission.session.value(), submission.prompt_hash);
  }

  void remember(const RetryParams& params, std::uint64_t identity, TimePoint arrived,
                TimePoint now) {
    if (identity == 0) return;
    sweep(params, now);
    arrivals_.insert_or_assign(identity, Entry{.arrived = arrived, .left = now});
    by_age_.emplace_back(identity, now);
    while (by_age_.size() > params.max_remembered) drop_oldest();
  }

  // The first arrival of this request, once, if an earlier attempt left the queue recently.
  std::optional<TimePoint> recall(const RetryParams& params, std::uint64_t identity,
                                  TimePoint now) {
    if (identity == 0) return std::nullopt;
    const auto found = arrivals_.find(identity);
    if (found == arrivals_.end()) return std::nullopt;
    const Entry entry = found->second;
    arrivals_.erase(found);
    if (now - entry.left > params.remember_arrival) return std::nullopt;
    return entry.arrived;
  }

  [[nodiscard]] std::size_t size() const { return arrivals_.size(); }

 private:
  struct Entry {
    TimePoint arrived;
    TimePoint left;
  };

  void sweep(const RetryParams& params, TimePoint now) {
    while (!by_age_.empty() && now - by_age_.front().second > params.remember_arrival)
      drop_oldest();
  }
  void drop_oldest() {
    const auto found = arrivals_.find(by_age_.front().first);
    if (found != arrivals_.end() && found->second.left == by_age_.front().second)
      arrivals_.erase(found);
    by_age_.pop_front();
  }

  absl::flat_hash_map<std::uint64_t, Entry> arrivals_;
  std::deque<std::pair<std::uint64_t, TimePoint>> by_age_;
};

}  // namespace turnpike::core
