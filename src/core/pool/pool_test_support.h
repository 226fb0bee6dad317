#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/pool/pool.h"

namespace turnpike::core {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A pool with its own time. Requests, endpoints, sessions and models are small numbers; 0 is no session. The books are checked
// after every event, unless there are too many events.
class PoolUnderTest {
 public:
  enum class Books : std::uint8_t { checked, trusted };
  explicit PoolUnderTest(const PoolParams& params = {}, Books books = Books::checked)
      : pool(params), books_(books) {}

  Pool pool;
  TimePoint now{std::chrono::hours(1)};

  struct Wish {
    unsigned session = 0;
    unsigned model = 1;
    std::int64_t prompt = 100;
    std::int64_t bytes = 400;
    unsigned tenant = 0;  // 0: anonymous
    std::uint64_t prompt_hash = 0;
    bool streaming = true;
    double weight = 1.0;  // of the tenant
    int priority = 0;
    std::vector<std::uint64_t> blocks = {};
    bool doubtful = false;  // the session's id
    unsigned parent = 0;    // a session; 0: none
  };

  void endpoint(unsigned id, std::vector<unsigned> models = {1}, int slots = 0) {
    pool.add_endpoint({.id = EndpointId(id),
                       .name = "e" + std::to_string(id),
                       .models = ids(models),
                       .slots = slots},
                      now);
    look();
  }
  void submit(unsigned id, Wish wish) {
    pool.submit({.id = RequestId(id),
                 .model = ModelId(wish.model),
                 .session = wish.session == 0 ? SessionKey::none() : SessionKey(wish.session),
                 .doubtful_session = wish.doubtful,
                 .tenant = TenantKey(wish.tenant),
                 .tenant_is_anonymous = wish.tenant == 0,
                 .prompt_tokens = TokenCount(wish.prompt),
                 .body_bytes = ByteCount(wish.bytes),
                 .prompt_hash = wish.prompt_hash,
                 .streaming = wish.streaming,
                 .tenant_weight = wish.weight,
                 .priority = wish.priority,
                 .parent = wish.parent == 0 ? SessionKey::none() : SessionKey(wish.parent),
                 .blocks = wish.blocks},
                now);
    look();
  }
  void submit(unsigned id, unsigned session = 0) { submit(id, Wish{.session = session}); }
  void settle(unsigned id, Ending ending = Ending::finished, Usage usage = {}) {
    pool.settle(RequestId(id), {.ending = ending, .usage = usage}, now);
    look();
  }
  void first_token(unsigned id) {
    pool.first_token(RequestId(id), now);
    look();
  }
  void failed(unsigned id, FailureKind kind) {
    pool.failed(RequestId(id), kind, now);
    look();
  }
  bool cancel(unsigned id) {
    const bool cancelled = pool.cancel(RequestId(id), now);
    look();
    return cancelled;
  }
  void observe(unsigned id, int running, int waiting) {
    pool.observe(EndpointId(id),
                 {.running = running, .waiting = waiting, .kv_usage = {}, .kv_capacity = {}}, now,
                 now);
    look();
  }
  // A whole turn of a session on an otherwise idle pool.
  void turn(unsigned id, unsigned session) {
    submit(id, session);
    settle(id);
    forget();
  }
  // Lets time pass, waking the pool whenever it asks for it.
  void pass(Duration d) {
    const TimePoint until = now + d;
    while (const auto deadline = pool.next_deadline()) {
      if (*deadline > until) break;
      now = std::max(now, *deadline);
      pool.advance(now);
      look();
    }
    now = until;
  }

  // Requests dispatched since the last call, in order.
  std::vector<unsigned> went() { return std::exchange(went_, {}); }
  // Where the request was dispatched last; 0: nowhere.
  unsigned place(unsigned id) const {
    const auto found = dispatches_.find(id);
    return found == dispatches_.end() ? 0 : found->second.endpoint.value();
  }
  const Dispatch& dispatch(unsigned id) const { return dispatches_.at(id); }
  // Requests turned away since the last call, with the reason.
  std::vector<std::pair<unsigned, RejectReason>> turned_away() {
    return std::exchange(turned_away_, {});
  }
  Duration retry_after(unsigned id) const { return retry_after_.at(id); }
  void forget() {
    went_.clear();
    turned_away_.clear();
  }

  PoolView view() const { return pool.view(now); }
  EndpointView endpoint_view(unsigned id) const {
    for (const EndpointView& view : pool.endpoints(now)) {
      if (view.id == EndpointId(id)) return view;
    }
    ADD_FAILURE() << "no endpoint " << id;
    return {};
  }

  void look() {
    for (const Decision& decision : pool.take_decisions()) {
      if (const auto* dispatch = std::get_if<Dispatch>(&decision)) {
        const auto id = static_cast<unsigned>(dispatch->request.value());
        went_.push_back(id);
        dispatches_[id] = *dispatch;
      } else {
        const auto& rejection = std::get<Rejection>(decision);
        const auto id = static_cast<unsigned>(rejection.request.value());
        turned_away_.emplace_back(id, rejection.reason);
        retry_after_[id] = rejection.retry_after;
      }
    }
    if (books_ == Books::checked) EXPECT_EQ(pool.broken_invariant(now), "");
  }

  static std::vector<ModelId> ids(const std::vector<unsigned>& models) {
    std::vector<ModelId> result;
    for (const unsigned model : models) result.emplace_back(model);
    return result;
  }

 private:
  const Books books_;
  std::vector<unsigned> went_;
  std::map<unsigned, Dispatch> dispatches_;
  std::vector<std::pair<unsigned, RejectReason>> turned_away_;
  std::map<unsigned, Duration> retry_after_;
};

// A pool that decides by its own ledger alone: `limit` in flight per endpoint.
inline PoolParams with_limit(int limit) {
  PoolParams params;
  params.admission.rule = AdmissionRule::inflight;
  params.admission.limit = limit;
  return params;
}

}  // namespace turnpike::core
