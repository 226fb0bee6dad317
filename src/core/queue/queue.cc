#include "core/queue/queue.h"

#include <algorithm>
#include <cassert>
#include <iterator>

namespace turnpike::core {

void Queue::push(Request& request, bool newcomer) {
  enter(request).lane.push(request);
  if (newcomer) newcomers_.push_back(request);
}

void Queue::push_retry(Request& request) {
  enter(request);
  retries_.push(request);
}

void Queue::erase(Request& request) {
  if (request.tried.empty()) {
    of(request).lane.erase(request);
  } else {
    retries_.erase(request);
  }
  leave(request);
}

bool Queue::dispatched(Request& request) {
  bool overtook = false;
  if (request.tried.empty()) {
    overtook = of(request).lane.dispatched(request);
  } else {
    retries_.erase(request);
  }
  leave(request);
  return overtook;
}

void Queue::boost(Request& request, std::uint64_t recency) {
  if (request.tried.empty()) of(request).lane.boost(request, recency);
}

std::optional<RejectReason> Queue::refusal(const QueueLimits& limits,
                                           const Submission& submission) const {
  const auto tenant = tenants_.find(submission.tenant);
  return core::refusal(limits, load_, tenant == tenants_.end() ? QueueLoad{} : tenant->second,
                       submission);
}

Request* Queue::longest_waiting(ModelId model) const {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : found->second->by_wait.first();
}

std::vector<const Request*> Queue::list(std::size_t limit) const {
  std::vector<const Request*> listed;
  retries_.list(limit, listed);
  const std::size_t room = limit - listed.size();
  std::vector<const Request*> rest;
  for (const auto& [model, waiting] : models_) {
    std::vector<const Request*> lane;
    std::vector<const Request*> merged;
    waiting->lane.list(room, lane);
    // A lane lists its next one first, whatever its rank; the rest of it is in order of rank.
    std::ranges::merge(rest, lane, std::back_inserter(merged), {}, &Request::rank, &Request::rank);
    merged.resize(std::min(merged.size(), room));
    rest = std::move(merged);
  }
  listed.insert(listed.end(), rest.begin(), rest.end());
  return listed;
}

Queue::ForModel& Queue::enter(Request& request) {
  std::unique_ptr<ForModel>& waiting = models_[request.submission.model];
  if (waiting == nullptr) waiting = std::make_unique<ForModel>(params_);
  waiting->by_wait.push_back(request);
  by_wait_.push_back(request);
  load_.add(request.submission);
  tenants_[request.submission.tenant].add(request.submission);
  return *waiting;
}

void Queue::leave(Request& request) {
  by_wait_.remove(request);
  newcomers_.remove(request);
  load_.subtract(request.submission);
  const auto tenant = tenants_.find(request.submission.tenant);
  tenant->second.subtract(request.submission);
  if (tenant->second.requests == 0) tenants_.erase(tenant);
  const auto waiting = models_.find(request.submission.model);
  waiting->second->by_wait.remove(request);
  if (waiting->second->by_wait.empty()) models_.erase(waiting);
}

Queue::ForModel& Queue::of(const Request& request) const {
  return *models_.find(request.submission.model)->second;
}

}  // namespace turnpike::core
