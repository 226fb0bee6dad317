#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "core/pool/request.h"
#include "core/queue/bounds.h"
#include "core/queue/model_queue.h"
#include "core/queue/retry_queue.h"

namespace turnpike::core {

// The waiting requests of a pool. One ModelQueue per model, so that a model without room costs nothing, however many wait for it;
// their firsts are compared by rank. Retries go ahead. Under the order `resident-set`, which keeps lines of its own, first attempts
// are counted and timed here and stand in no line. It does not own the requests; each must leave before it dies.
class Queue {
 public:
  Queue(const OrderParams& params, TenantAccounts& accounts)
      : params_(params), accounts_(&accounts) {}

  // A first attempt; `newcomer`: it may be displaced by a turn of a running session.
  void push(Request& request, bool newcomer, TimePoint now);
  void push_retry(Request& request);
  void erase(Request& request);
  // It goes out. True if it overtook an earlier arrival for its model.
  bool dispatched(Request& request, TimePoint now);
  void boost(Request& request, std::uint64_t recency);
  // A tenant's use has changed.
  void charged(TenantKey tenant);
  void not_a_newcomer(Request& request) { newcomers_.remove(request); }

  // Why one more may not wait, if so.
  [[nodiscard]] std::optional<RejectReason> refusal(const QueueLimits& limits,
                                                    const Submission& submission) const;
  // Whom a turn of a running session may displace: the newcomer that came last.
  [[nodiscard]] Request* youngest_newcomer() const { return newcomers_.last(); }

  // A first attempt leaves its line for a moment, in which its size and the endpoint it waits for may change.
  void step_out(Request& request);
  void step_in(Request& request, TimePoint now);
  // First attempts that wait for one endpoint, whichever.
  [[nodiscard]] std::size_t waiting_for_one() const { return waiting_for_one_; }
  // Those that wait for this one.
  [[nodiscard]] std::size_t waiting_at(EndpointId endpoint) const;

  // The best first attempt that can go. `opening_of(model)`: for those that any endpoint may take; `opening_at(endpoint)`: for those
  // that wait for one.
  template <typename OpeningOf, typename OpeningAt>
  [[nodiscard]] ModelQueue::First first(TimePoint now, OpeningOf opening_of, OpeningAt opening_at) {
    ModelQueue::First best;
    for (const auto& [model, waiting] : models_) {
      const ModelQueue::First candidate = waiting->first(opening_of(model), opening_at, now);
      if (candidate.request == nullptr) continue;
      if (best.request == nullptr || candidate.rank < best.rank) best = candidate;
    }
    return best;
  }
  // What waits for a model; null if nothing does.
  [[nodiscard]] ModelQueue* find(ModelId model) const;
  [[nodiscard]] const RetryQueue& retries() const { return retries_; }

  // Of all waiting requests, retries included, the one that began to wait first; likewise of a model.
  [[nodiscard]] Request* longest_waiting() const;
  [[nodiscard]] Request* longest_waiting(ModelId model) const;
  // The models for which something waits, retries included, in order of their ids.
  template <typename Visit>
  void for_each_model(Visit visit) const {
    for (const auto& [model, waiting] : models_) visit(model);
  }

  [[nodiscard]] const QueueLoad& load() const { return load_; }
  [[nodiscard]] bool empty() const { return load_.requests == 0; }
  // What waits, next first, at most `limit`; under `resident-set` retries alone.
  [[nodiscard]] std::vector<const Request*> list(std::size_t limit, TimePoint now) const;

 private:
  [[nodiscard]] bool has_lines() const { return params_.sessions != SessionOrder::resident_set; }
  ModelQueue& enter(Request& request);
  void waits_for_one(EndpointId endpoint, int change);
  void leave(Request& request, WaitLine::End end);
  ModelQueue& of(const Request& request) const;

  OrderParams params_;
  TenantAccounts* accounts_;
  std::map<ModelId, std::unique_ptr<ModelQueue>> models_;  // those for which something waits
  RetryQueue retries_;
  LinkedList<Request, OfNewcomers> newcomers_;
  std::size_t waiting_for_one_ = 0;
  absl::flat_hash_map<EndpointId, int> waiting_at_;
  QueueLoad load_;
  absl::flat_hash_map<TenantKey, QueueLoad> tenants_;
};

}  // namespace turnpike::core
