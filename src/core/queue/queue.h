#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "core/pool/request.h"
#include "core/queue/bounds.h"
#include "core/queue/lane.h"
#include "core/queue/retry_queue.h"

namespace turnpike::core {

// The waiting requests of a pool. One lane per model, so that a model without room costs nothing, however many wait for it; the
// lanes' firsts are compared by rank. Retries go ahead. It does not own the requests; each must leave before it dies.
class Queue {
 public:
  explicit Queue(const OrderParams& params) : params_(params) {}

  // A first attempt; `newcomer`: it may be displaced by a turn of a running session.
  void push(Request& request, bool newcomer);
  void push_retry(Request& request);
  void erase(Request& request);
  // It goes out. True if it overtook an earlier arrival for its model.
  bool dispatched(Request& request);
  void boost(Request& request, std::uint64_t recency);
  void not_a_newcomer(Request& request) { newcomers_.remove(request); }

  // Why one more may not wait, if so.
  [[nodiscard]] std::optional<RejectReason> refusal(const QueueLimits& limits,
                                                    const Submission& submission) const;
  // Whom a turn of a running session may displace: the newcomer that came last.
  [[nodiscard]] Request* youngest_newcomer() const { return newcomers_.last(); }

  // The best first attempt among the models with room; `access` says what room there is for a model.
  template <typename AccessOf>
  [[nodiscard]] Lane::First first(AccessOf access) const {
    Lane::First best;
    for (const auto& [model, waiting] : models_) {
      const Lane::First candidate = waiting->lane.first(access(model));
      if (candidate.request == nullptr) continue;
      if (best.request == nullptr || candidate.rank < best.rank) best = candidate;
    }
    return best;
  }
  [[nodiscard]] const RetryQueue& retries() const { return retries_; }

  // Of all waiting requests, retries included, the one that began to wait first; likewise of a model.
  [[nodiscard]] Request* longest_waiting() const { return by_wait_.first(); }
  [[nodiscard]] Request* longest_waiting(ModelId model) const;
  // The models for which something waits, retries included, in order of their ids.
  template <typename Visit>
  void for_each_model(Visit visit) const {
    for (const auto& [model, waiting] : models_) visit(model);
  }

  [[nodiscard]] const QueueLoad& load() const { return load_; }
  [[nodiscard]] bool empty() const { return load_.requests == 0; }
  // What waits, next first, at most `limit`.
  [[nodiscard]] std::vector<const Request*> list(std::size_t limit) const;

 private:
  struct ForModel {
    explicit ForModel(const OrderParams& params) : lane(params) {}
    Lane lane;
    LinkedList<Request, OfModel> by_wait;  // retries included
  };

  ForModel& enter(Request& request);
  void leave(Request& request);
  ForModel& of(const Request& request) const;

  OrderParams params_;
  std::map<ModelId, std::unique_ptr<ForModel>> models_;  // those for which something waits
  RetryQueue retries_;
  LinkedList<Request, OfQueue> by_wait_;
  LinkedList<Request, OfNewcomers> newcomers_;
  QueueLoad load_;
  absl::flat_hash_map<TenantKey, QueueLoad> tenants_;
};

}  // namespace turnpike::core
