#include "core/queue/boost_tracker.h"

#include <algorithm>
#include <tuple>
#include <vector>

namespace turnpike::core {

void BoostTracker::set_params(const BoostParams& params) {
  params_ = params;
}

void BoostTracker::completed(SessionKey session, TimePoint now) {
  if (session.is_none()) return;
  const Completion completion{.at = now, .recency = ++completions_};
  entries_.insert_or_assign(session, completion);
  by_age_.emplace_back(session, completion);
  sweep(now);
}

void BoostTracker::absorb(const BoostTracker& other, TimePoint now) {
  std::vector<std::pair<SessionKey, Completion>> all;
  for (const BoostTracker* tracker : {static_cast<const BoostTracker*>(this), &other}) {
    for (const auto& element : tracker->by_age_) {
      if (!tracker->is_void(element)) all.push_back(element);
    }
  }
  std::ranges::sort(all, {}, [](const auto& element) {
    return std::tuple(element.second.at, element.second.recency, element.first);
  });
  entries_.clear();
  by_age_.clear();
  for (auto& [session, completion] : all) {
    completion.recency = ++completions_;
    entries_.insert_or_assign(session, completion);
    by_age_.emplace_back(session, completion);
  }
  sweep(now);
}

std::optional<std::uint64_t> BoostTracker::recency(SessionKey session, TimePoint now) const {
  if (session.is_none()) return std::nullopt;
  const auto found = entries_.find(session);
  if (found == entries_.end() || aged(found->second.at, now)) return std::nullopt;
  return found->second.recency;
}

bool BoostTracker::aged(TimePoint at, TimePoint now) const {
  return params_.ttl > Duration{0} && now - at >= params_.ttl;
}

bool BoostTracker::is_void(const std::pair<SessionKey, Completion>& element) const {
  const auto found = entries_.find(element.first);
  return found == entries_.end() || found->second.recency != element.second.recency;
}

void BoostTracker::sweep(TimePoint now) {
  while (!by_age_.empty()) {
    const auto& [session, completion] = by_age_.front();
    if (!is_void(by_age_.front())) {
      if (entries_.size() <= params_.max_sessions && !aged(completion.at, now)) break;
      entries_.erase(session);
    }
    by_age_.pop_front();
  }
  if (by_age_.size() > 2 * entries_.size() + 64)
    std::erase_if(by_age_, [&](const auto& element) { return is_void(element); });
}

}  // namespace turnpike::core
