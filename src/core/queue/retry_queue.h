#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "core/pool/request.h"
#include "core/queue/fit_tree.h"

namespace turnpike::core {

// Requests that failed somewhere and found no room elsewhere at once. They go ahead of the queue, first come first served; one that
// is too large for the room there is is passed by smaller ones. Those that may go to the same endpoints stand in one line, so that
// looking for one that can go never looks at the whole queue: there are as many lines as combinations of (model, boosted, endpoints
// tried). It does not own the requests.
class RetryQueue {
 public:
  void push(Request& request);
  void erase(Request& request);

  [[nodiscard]] bool empty() const { return lines_.empty(); }
  [[nodiscard]] std::size_t size() const { return size_; }

  // The earliest arrival for which `can_go` holds, which must hold for the smaller of a line if it does for the larger. It is asked
  // once a line and once more for each smaller one behind.
  template <typename Predicate>
  [[nodiscard]] Request* first(Predicate can_go) const {
    Request* earliest = nullptr;
    for (const auto& [line, requests] : lines_) {
      Request* candidate = requests.first();
      while (candidate != nullptr &&
             (earliest == nullptr || candidate->arrival < earliest->arrival)) {
        if (can_go(*candidate)) {
          earliest = candidate;
        } else {
          candidate = requests.first_fitting(candidate->size.value() - 1);
        }
      }
    }
    return earliest;
  }

  // All of them, by arrival, at most `limit`, appended.
  void list(std::size_t limit, std::vector<const Request*>& out) const;

 private:
  struct Key {
    ModelId model;
    bool boosted = false;
    std::vector<EndpointId> tried;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  static Key key(const Request& request);

  std::map<Key, FitTree<Request>> lines_;  // ranked by arrival
  std::size_t size_ = 0;
};

}  // namespace turnpike::core
