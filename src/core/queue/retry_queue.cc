#include "core/queue/retry_queue.h"

#include <algorithm>
#include <cassert>

namespace turnpike::core {

void RetryQueue::erase(Request& request) {
  const auto line = lines_.find(key(request));
  assert(line != lines_.end());
  line->second.erase(&request);
  if (line->second.empty()) lines_.erase(line);
}

std::size_t RetryQueue::size() const {
  std::size_t total = 0;
  for (const auto& [line, requests] : lines_) total += requests.size();
  return total;
}

void RetryQueue::list(std::size_t limit, std::vector<const Request*>& out) const {
  std::vector<const Request*> all;
  for (const auto& [line, requests] : lines_)
    all.insert(all.end(), requests.begin(), requests.end());
  std::ranges::sort(all, {}, &Request::arrival);
  all.resize(std::min(all.size(), limit));
  out.insert(out.end(), all.begin(), all.end());
}

RetryQueue::Key RetryQueue::key(const Request& request) {
  const auto tried = request.tried();
  Key key{.model = request.submission.model, .tried = {tried.begin(), tried.end()}};
  std::ranges::sort(key.tried);
  return key;
}

}  // namespace turnpike::core
