#include "core/queue/level_queue.h"

namespace turnpike::core {

void LevelQueue::push(Request& request, TimePoint now) {
  const Key key = key_of(request);
  Entry& entry = lanes_[key];
  if (entry.lane == nullptr) {
    entry.lane = std::make_unique<Lane>(params_);
    place(key);
  }
  entry.lane->push(request);
  sort_again(now);
}

void LevelQueue::erase(Request& request) {
  const Key key = key_of(request);
  lane_of(request).erase(request);
  leave_if_empty(key);
}

bool LevelQueue::dispatched(Request& request, TimePoint now) {
  const Key key = key_of(request);
  const bool overtook = lane_of(request).dispatched(request, now);
  leave_if_empty(key);
  return overtook;
}

void LevelQueue::charged(TenantKey tenant) {
  if (params_.tenants == TenantOrder::none) return;
  for (auto& [key, entry] : lanes_) {
    if (key.tenant != tenant) continue;
    order_.erase({.demotion = key.demotion, .usage = entry.usage, .tenant = key.tenant});
    place(key);
  }
}

LevelQueue::First LevelQueue::first(const Opening& opening, TimePoint now) {
  if (opening.access == Access::none) return {};
  sort_again(now);
  for (const Place& where : order_) {
    Lane& lane = *lanes_.find({.demotion = where.demotion, .tenant = where.tenant})->second.lane;
    const Lane::First first = lane.first(opening, now);
    if (first.request == nullptr) continue;
    return {.request = first.request,
            .rank = {.demotion = where.demotion,
                     .usage = where.usage,
                     .tenant = where.tenant,
                     .rank = first.rank},
            .overdue = first.overdue};
  }
  return {};
}

void LevelQueue::list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const {
  for (const Place& where : order_) {
    if (out.size() >= limit) return;
    const auto entry = lanes_.find({.demotion = where.demotion, .tenant = where.tenant});
    entry->second.lane->list(limit - out.size(), now, out);
  }
}

std::vector<Request*> LevelQueue::all() const {
  std::vector<Request*> requests;
  for (const auto& [key, entry] : lanes_) entry.lane->all(requests);
  return requests;
}

LevelQueue::Key LevelQueue::key_of(const Request& request) const {
  return {.demotion = params_.priority_classes ? -request.submission.priority : 0,
          .tenant =
              params_.tenants == TenantOrder::none ? TenantKey::none() : request.submission.tenant};
}

void LevelQueue::place(const Key& key) {
  Entry& entry = lanes_.find(key)->second;
  entry.usage = accounts_->usage(params_.tenants, key.tenant);
  order_.insert({.demotion = key.demotion, .usage = entry.usage, .tenant = key.tenant});
}

void LevelQueue::leave_if_empty(const Key& key) {
  const auto entry = lanes_.find(key);
  if (!entry->second.lane->empty()) return;
  order_.erase({.demotion = key.demotion, .usage = entry->second.usage, .tenant = key.tenant});
  lanes_.erase(entry);
}

// Time has moved the window, hence everybody's use: once in a tenth of it.
void LevelQueue::sort_again(TimePoint now) {
  if (params_.tenants == TenantOrder::none) return;
  const std::uint64_t rolled = accounts_->roll(params_.fairness, now);
  if (rolled == rolled_) return;
  rolled_ = rolled;
  order_.clear();
  for (const auto& [key, entry] : lanes_) place(key);
}

}  // namespace turnpike::core
