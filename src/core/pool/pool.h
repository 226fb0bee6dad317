#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"
#include "core/pool/views.h"
#include "core/preset/preset.h"

namespace turnpike::core {

class JournalWriter;

// A pool: endpoints and the one queue in front of them, as an event machine. Events are method
// calls with the time they happened; after every event the pool dispatches until nothing more can
// be, and leaves what it decided in a list that the driver takes. No I/O, no clock, no lock: one
// caller at a time, time never going back.
//
// Every submitted request ends exactly once: by a Rejection (queued), by cancel() returning true
// (queued), or by settle() (dispatched). failed() is not an end: it leads to another Dispatch or to
// a Rejection.
class Pool {
 public:
  explicit Pool(const PoolParams& params);
  ~Pool();
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;

  // --- events ---
  void submit(const Submission& submission, TimePoint now);
  // True if it was queued and is now gone. A request that is already dispatched is not touched: the
  // driver settles it.
  bool cancel(RequestId request, TimePoint now);
  void first_token(RequestId request, TimePoint now);
  void settle(RequestId request, const Settlement& settlement, TimePoint now);
  void failed(RequestId request, FailureKind kind, TimePoint now,
              FailedPart part = FailedPart::answer);

  void observe(EndpointId endpoint, const Gauges& gauges, TimePoint scraped_at, TimePoint now);
  void add_endpoint(const EndpointSpec& spec, TimePoint now);
  // No new requests; its running ones keep their leases until they settle.
  void remove_endpoint(EndpointId endpoint, TimePoint now);
  void set_draining(EndpointId endpoint, bool draining, TimePoint now);
  void set_models(EndpointId endpoint, std::vector<ModelId> models, TimePoint now);
  // The verdict of the active health check.
  void set_healthy(EndpointId endpoint, bool healthy, TimePoint now);
  // The engine has restarted, or says that its cache was cleared.
  void forget_cache(EndpointId endpoint, TimePoint now);
  void end_session(SessionKey session, TimePoint now);
  void set_policy(const PoolParams& params, TimePoint now);
  // Time-outs, grace periods, breakers; call at or after next_deadline().
  void advance(TimePoint now);

  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  // Dispatched and neither settled nor failed since.
  [[nodiscard]] bool is_dispatched(RequestId request) const;
  // Submitted and not ended.
  [[nodiscard]] bool knows(RequestId request) const;

  // Takes over the endpoints, requests and sessions of a pool that turned out to share a model with
  // this one: queues merge by arrival, ledgers are kept, the policy is this pool's. `other` is left
  // empty.
  void absorb(Pool&& other, TimePoint now);

  // What was decided since the last call, in order.
  [[nodiscard]] std::vector<Decision> take_decisions();

  // Writes every event from now on into the journal, as happening to the pool with this number. The journal must outlive the pool.
  // An absorbed pool must have been recorded in the same journal.
  void record_to(JournalWriter& journal, std::uint32_t number, TimePoint now);

  // --- views: copies, bounded by `limit` ---
  [[nodiscard]] PoolView view(TimePoint now) const;
  [[nodiscard]] std::vector<EndpointView> endpoints(TimePoint now) const;
  [[nodiscard]] std::vector<QueuedView> queue(std::size_t limit, TimePoint now) const;
  // A page of at most `limit` sessions; `after` is 0 or the `next` of the page before.
  [[nodiscard]] SessionPage sessions(std::size_t limit, std::uint32_t after, TimePoint now) const;
  [[nodiscard]] std::optional<SessionView> session(SessionKey key, TimePoint now) const;

  // For tests: what is wrong with the pool's books, checked by recounting everything; empty if nothing is.
  [[nodiscard]] std::string broken_invariant(TimePoint now) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::core
