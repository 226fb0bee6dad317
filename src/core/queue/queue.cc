#include "core/queue/queue.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace turnpike::core {

void Queue::push(Request& request, bool newcomer, TimePoint now) {
  enter(request);
  step_in(request, now);
  if (newcomer) newcomers_.push_back(request);
}

void Queue::push_retry(Request& request) {
  enter(request);
  retries_.push(request);
}

void Queue::erase(Request& request) {
  if (!request.is_retry()) {
    step_out(request);
  } else {
    retries_.erase(request);
  }
  leave(request, WaitLine::End::gave_up);
}

bool Queue::dispatched(Request& request, TimePoint now) {
  bool overtook = false;
  if (!request.is_retry()) {
    if (has_lines()) overtook = of(request).dispatched(request, now);
    if (request.only) waits_for_one(request.only, -1);
  } else {
    retries_.erase(request);
  }
  leave(request, WaitLine::End::dispatched);
  return overtook;
}

void Queue::boost(Request& request, std::uint64_t recency) {
  if (has_lines() && !request.is_retry()) of(request).boost(request, recency);
}

void Queue::charged(TenantKey tenant) {
  if (params_.tenants == TenantOrder::none) return;
  for (const auto& [model, waiting] : models_) waiting->charged(tenant);
}

void Queue::waits_for_one(EndpointId endpoint, int change) {
  waiting_for_one_ =
      static_cast<std::size_t>(static_cast<std::ptrdiff_t>(waiting_for_one_) + change);
  const auto count = waiting_at_.try_emplace(endpoint, 0).first;
  count->second += change;
  if (count->second == 0) waiting_at_.erase(count);
}

std::size_t Queue::waiting_at(EndpointId endpoint) const {
  const auto count = waiting_at_.find(endpoint);
  return count == waiting_at_.end() ? 0 : static_cast<std::size_t>(count->second);
}

void Queue::step_out(Request& request) {
  if (has_lines()) of(request).erase(request);
  if (request.only) waits_for_one(request.only, -1);
}

void Queue::step_in(Request& request, TimePoint now) {
  if (has_lines()) of(request).push(request, now);
  if (request.only) waits_for_one(request.only, 1);
}

ModelQueue* Queue::find(ModelId model) const {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : found->second.get();
}

std::optional<RejectReason> Queue::refusal(const QueueLimits& limits,
                                           const Submission& submission) const {
  const auto tenant = tenants_.find(submission.tenant);
  return core::refusal(limits, load_, tenant == tenants_.end() ? QueueLoad{} : tenant->second,
                       submission);
}

Request* Queue::longest_waiting() const {
  Request* longest = nullptr;
  for (const auto& [model, waiting] : models_) {
    Request* first = waiting->by_wait.first();
    if (longest == nullptr ||
        std::pair(first->enqueued, first->arrival) < std::pair(longest->enqueued, longest->arrival))
      longest = first;
  }
  return longest;
}

Request* Queue::longest_waiting(ModelId model) const {
  const auto found = models_.find(model);
  return found == models_.end() ? nullptr : found->second->by_wait.first();
}

std::vector<const Request*> Queue::list(std::size_t limit, TimePoint now) const {
  std::vector<const Request*> listed;
  retries_.list(limit, listed);
  const std::size_t room = limit - listed.size();
  std::vector<const Request*> rest;
  for (const auto& [model, waiting] : models_) {
    std::vector<const Request*> lane;
    std::vector<const Request*> merged;
    waiting->list(room, now, lane);
    // Exact within a model; between models by rank among the sessions.
    std::ranges::merge(rest, lane, std::back_inserter(merged), {}, &Request::rank, &Request::rank);
    merged.resize(std::min(merged.size(), room));
    rest = std::move(merged);
  }
  listed.insert(listed.end(), rest.begin(), rest.end());
  return listed;
}

ModelQueue& Queue::enter(Request& request) {
  std::unique_ptr<ModelQueue>& waiting = models_[request.submission.model];
  if (waiting == nullptr) waiting = std::make_unique<ModelQueue>(params_, *accounts_);
  waiting->begins_to_wait(request);
  load_.add(request.submission);
  QueueLoad& tenant = tenants_[request.submission.tenant];
  if (tenant.requests == 0)
    accounts_->begins_to_wait(request.submission.tenant, request.submission.tenant_weight);
  tenant.add(request.submission);
  return *waiting;
}

void Queue::leave(Request& request, WaitLine::End end) {
  newcomers_.remove(request);
  load_.subtract(request.submission);
  const auto tenant = tenants_.find(request.submission.tenant);
  tenant->second.subtract(request.submission);
  if (tenant->second.requests == 0) {
    accounts_->waits_no_more(request.submission.tenant);
    tenants_.erase(tenant);
  }
  const auto waiting = models_.find(request.submission.model);
  waiting->second->waits_no_more(request, end);
  if (waiting->second->by_wait.empty()) models_.erase(waiting);
}

ModelQueue& Queue::of(const Request& request) const {
  return *models_.find(request.submission.model)->second;
}

}  // namespace turnpike::core
