#include "core/queue/model_queue.h"

#include <algorithm>
#include <iterator>

namespace turnpike::core {

void ModelQueue::push(Request& request, TimePoint now) {
  if (request.only.is_none()) return anywhere_.push(request, now);
  lines_.try_emplace(request.only, params_, *accounts_).first->second.push(request, now);
  changed_.insert(request.only);
}

void ModelQueue::erase(Request& request) {
  LevelQueue& line = line_of(request);
  line.erase(request);
  if (!request.only.is_none() && line.empty()) lines_.erase(request.only);
}

bool ModelQueue::dispatched(Request& request, TimePoint now) {
  LevelQueue& line = line_of(request);
  const bool overtook = line.dispatched(request, now);
  if (!request.only.is_none() && line.empty()) lines_.erase(request.only);
  return overtook;
}

void ModelQueue::boost(Request& request, std::uint64_t recency) {
  line_of(request).boost(request, recency);
  look_at(request.only);  // it may take what is kept for boosted ones
}

void ModelQueue::charged(TenantKey tenant) {
  anywhere_.charged(tenant);
  for (auto& [endpoint, line] : lines_) line.charged(tenant);
}

void ModelQueue::look_at(EndpointId endpoint) {
  if (lines_.contains(endpoint)) changed_.insert(endpoint);
}

ModelQueue::First ModelQueue::first_at(EndpointId endpoint, const Opening& opening, TimePoint now) {
  const auto line = lines_.find(endpoint);
  return line == lines_.end() ? First{} : line->second.first(opening, now);
}

std::vector<Request*> ModelQueue::waiting_for(EndpointId endpoint) const {
  const auto line = lines_.find(endpoint);
  return line == lines_.end() ? std::vector<Request*>{} : line->second.all();
}

std::vector<EndpointId> ModelQueue::waited_for() const {
  std::vector<EndpointId> endpoints;
  for (const auto& [endpoint, line] : lines_) endpoints.push_back(endpoint);
  return endpoints;
}

// Exact within a line; between lines by rank among the sessions.
void ModelQueue::list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const {
  anywhere_.list(limit, now, out);
  if (lines_.empty()) return;
  for (const auto& [endpoint, line] : lines_) {
    std::vector<const Request*> here;
    std::vector<const Request*> merged;
    line.list(limit, now, here);
    std::ranges::merge(out, here, std::back_inserter(merged), {}, &Request::rank, &Request::rank);
    merged.resize(std::min(merged.size(), limit));
    out = std::move(merged);
  }
}

void ModelQueue::begins_to_wait(Request& request) {
  if (waiting_.full()) {
    waiting_.start_over();
    for (Request* r = by_wait.first(); r != nullptr; r = LinkedList<Request, OfModel>::after(*r)) {
      waiting_.number_again(r->ticket);
    }
  }
  waiting_.enter(request.ticket);
  by_wait.push_back(request);
}

void ModelQueue::waits_no_more(Request& request, WaitLine::End end) {
  waiting_.leave(request.ticket, end);
  by_wait.remove(request);
}

LevelQueue& ModelQueue::line_of(const Request& request) {
  return request.only.is_none() ? anywhere_ : lines_.find(request.only)->second;
}

}  // namespace turnpike::core
