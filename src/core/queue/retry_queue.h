#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include <absl/container/btree_set.h>

#include "core/pool/request.h"

namespace turnpike::core {

// Requests that failed somewhere and found no room elsewhere at once. They go ahead of the queue, first come first served. Those
// that may go to the same endpoints stand in one line, so that looking for one that can go never looks at the whole queue: there
// are as many lines as combinations of (model, endpoints tried). It does not own the requests.
class RetryQueue {
 public:
  void push(Request& request) { lines_[key(request)].insert(&request); }
  void erase(Request& request);

  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] std::size_t size() const;

  // The earliest arrival for which `can_go` holds; it is asked once a line.
  template <typename Predicate>
  [[nodiscard]] Request* first(Predicate can_go) const {
    Request* earliest = nullptr;
    for (const auto& [line, requests] : lines_) {
      Request* candidate = *requests.begin();
      if (earliest != nullptr && earliest->arrival < candidate->arrival) continue;
      if (can_go(*candidate)) earliest = candidate;
    }
    return earliest;
  }

  // All of them, by arrival, at most `limit`, appended.
  void list(std::size_t limit, std::vector<const Request*>& out) const;

 private:
  struct Key {
    ModelId model;
    std::vector<EndpointId> tried;

    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct ByArrival {
    bool operator()(const Request* a, const Request* b) const { return a->arrival < b->arrival; }
  };

  static Key key(const Request& request);

  std::map<Key, absl::btree_set<Request*, ByArrival>> lines_;
};

}  // namespace turnpike::core
