#include "core/queue/retry_queue.h"

#include <algorithm>
#include <cassert>

namespace turnpike::core {

void RetryQueue::push(Request& request) {
  lines_[key(request)].insert({.arrival = request.arrival}, request.size.value(), &request);
  ++size_;
}

void RetryQueue::erase(Request& request) {
  const auto line = lines_.find(key(request));
  assert(line != lines_.end());
  line->second.erase({.arrival = request.arrival});
  if (line->second.empty()) lines_.erase(line);
  --size_;
}

void RetryQueue::list(std::size_t limit, std::vector<const Request*>& out) const {
  std::vector<const Request*> all;
  for (const auto& [line, requests] : lines_) {
    requests.visit_while([&all](const Request& request) {
      all.push_back(&request);
      return true;
    });
  }
  std::ranges::sort(all, {}, &Request::arrival);
  all.resize(std::min(all.size(), limit));
  out.insert(out.end(), all.begin(), all.end());
}

RetryQueue::Key RetryQueue::key(const Request& request) {
  const auto tried = request.tried();
  Key key{.model = request.submission.model,
          .boosted = request.boosted,
          .tried = {tried.begin(), tried.end()}};
  std::ranges::sort(key.tried);
  return key;
}

}  // namespace turnpike::core
