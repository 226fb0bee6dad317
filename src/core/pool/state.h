#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include "core/admission/rate_bucket.h"
#include "core/placement/choose.h"
#include "core/pool/fleet.h"
#include "core/pool/flow_rate.h"
#include "core/pool/moving_mean.h"
#include "core/pool/pool.h"
#include "core/pool/remembered_arrivals.h"
#include "core/pool/request.h"
#include "core/program/program_set.h"
#include "core/queue/boost_tracker.h"
#include "core/queue/queue.h"
#include "core/resident/resident_set.h"
#include "core/session/session_table.h"
#include "core/session/slab.h"

namespace turnpike::core {

// What a pool consists of. The functions are spread over the files named beside them; every event ends in dispatch_all().
struct Pool::State {
  using Number = Slab<Request>::Number;

  explicit State(const PoolParams& with)
      : params(with),
        fleet(params),
        sessions(with.sessions),
        tracker(with.order.boost),
        queue(with.order, accounts) {
    use_policy();
  }

  PoolParams params;
  Fleet fleet;  // outlives the requests, whose leases point into it
  SessionTable sessions;
  BoostTracker tracker;
  Slab<Request> requests;
  // By id; the ids themselves stand in the requests.
  struct IdHash {
    using is_transparent = void;
    const Slab<Request>* requests;
    std::size_t operator()(RequestId id) const { return absl::Hash<RequestId>{}(id); }
    std::size_t operator()(Number number) const {
      return (*this)((*requests)[number].submission.id);
    }
  };
  struct SameId {
    using is_transparent = void;
    const Slab<Request>* requests;
    bool operator()(Number a, Number b) const { return a == b; }
    bool operator()(Number number, RequestId id) const {
      return (*requests)[number].submission.id == id;
    }
    bool operator()(RequestId id, Number number) const { return (*this)(number, id); }
  };
  absl::flat_hash_set<Number, IdHash, SameId> numbers{0, IdHash{&requests}, SameId{&requests}};
  TenantAccounts accounts;
  Queue queue;
  std::optional<ResidentSet> resident;  // under the policy resident-set
  std::optional<ProgramSet> programs;   // under the admission program
  RememberedArrivals remembered;
  RateBucket bucket;  // under the admission `rate`
  FlowRate dispatched_tokens;
  MovingMean reserve{512.0, 0.02};  // output tokens of an answer
  PoolCounters counters;
  std::vector<Decision> decisions;

  // First tokens that are assumed, because the answer is not streamed.
  absl::btree_set<std::pair<TimePoint, Number>> assumed_first_tokens;
  // Sessions for which a slot is held and whose next turn waits all the same, because its endpoint has no room.
  std::vector<SessionKey> waiting_holders;
  std::uint64_t submissions = 0;
  std::size_t in_flight = 0;
  std::size_t retried = 0;  // active requests that have failed somewhere
  // Where events are written down, under which number; null: nowhere.
  struct {
    JournalWriter* journal = nullptr;
    std::uint32_t number = 0;
  } recording;
  std::uint32_t last_turn = 0;  // ordinal of the endpoint that round-robin chose last

  std::vector<Candidate> candidates;  // scratch
  std::vector<Endpoint*> candidate_endpoints;
  ChoiceScratch scratch;

  // recording.h
  template <typename E, typename... Members>
  void record(TimePoint now, const Members&... members);

  // requests.cc: life and death of a request, and its session's part in it
  Request& create(const Submission& submission, TimePoint now);
  void recognise(Session& session, const Submission& submission, TimePoint now);
  Request* find(RequestId id);
  void enqueue(Request& request, TimePoint now);
  void wait_over(Request& request);  // what being queued meant to its session
  void reject(Request& request, RejectReason reason, TimePoint now);
  void destroy(Request& request, TimePoint now);
  void refuse_surplus(Request& latest, RejectReason reason, TimePoint now);
  void end_lease(Request& request, TimePoint now);
  void end_program_turn(Request& request, Endpoint& endpoint, bool answered, TimePoint now);

  // line.cc: where a request waits
  void take_line(Request& request) const;
  EndpointId home(const Request& request) const;
  void change_line(Request& request, TimePoint now);
  void rejoin_program(const Request& dispatched, TimePoint now);

  // turns.cc: what a request means to its session and its tenant
  void take_order(Request& request, std::uint64_t recency, TimePoint now);
  void turn_started(Request& request, const Endpoint& endpoint, TimePoint now);
  void turn_ended(Request& request, const Settlement& settlement, TimePoint now);
  void boost_waiting(Session& session, TimePoint now);
  void charge(const Request& request, double amount, TimePoint now);

  // dispatch.cc: who goes where
  void dispatch_all(TimePoint now);
  [[nodiscard]] bool may_dispatch(TimePoint now) const;
  void look_at_changed(TimePoint now);
  bool dispatch_next(TimePoint now);
  bool dispatch_holder(TimePoint now);
  struct Placed {
    Endpoint* endpoint = nullptr;
    Weighing weighing;
  };
  Placed place(const Request& request, TimePoint now);
  Candidate candidate(const Request& request, const Endpoint& endpoint, EndpointId bound,
                      TimePoint now) const;
  void dispatch(Request& request, Endpoint& endpoint, TimePoint now, const Weighing& weighing = {},
                std::optional<Why> reason = {});
  // pairs.cc: prompts computed by another endpoint than the one that answers
  bool hands_over(const Request& request, const Endpoint& endpoint) const;
  void take_leases(Request& request, Endpoint& endpoint, TokenCount uncached, TimePoint now);
  enum class Prompt : std::uint8_t { unknown, assumed, seen };  // whether it has been computed
  bool end_prefill(RunningPart& running, TimePoint now, Prompt computed = Prompt::unknown);

  Explanation explain(const Request& request, const Endpoint& endpoint,
                      const Weighing& weighing) const;
  Why why(const Request& request, TimePoint now) const;

  // grace.cc: slots held for a session's next turn
  void hold_slot(Session& session, Endpoint& endpoint, TimePoint now);
  Duration grace_for(const Session& session, const Endpoint& endpoint) const;
  // resident-set
  Endpoint* endpoint_with_context(const Request& request) const;
  void refuse_if_hopeless(Request& request, TimePoint now);
  bool dispatch_by_residency(TimePoint now);
  void leave_queue(Request& request, TimePoint now);

  void release_hold(Session& session, TimePoint now);
  Endpoint* holding_endpoint(const Session& session) const;

  // retry.cc: another endpoint, or none
  bool may_retry(const Request& request) const;
  void blame(Endpoint& endpoint, FailureKind kind, TimePoint now);

  // deadlines.cc
  void wake_endpoints(TimePoint now);
  void expire_programs(TimePoint now);
  void assume_first_tokens(TimePoint now);
  void expire_waits(TimePoint now);
  std::optional<TimePoint> no_endpoint_deadline(ModelId model) const;
  std::optional<TimePoint> queue_deadline() const;

  // view.cc
  [[nodiscard]] std::vector<const Request*> waiting_in_order(std::size_t limit,
                                                             TimePoint now) const;

  // estimates.cc
  TokenCount uncached(const Request& request, const Endpoint& endpoint) const;
  std::span<const std::uint64_t> counted_blocks(const Request& request) const;
  void correct_prefixes(const Request& request, Endpoint& endpoint,
                        const Settlement& settlement) const;
  TokenCount least_uncached(const Request& request) const;
  std::optional<Duration> predicted_wait(TokenCount ahead, TimePoint now) const;
  Duration retry_after(RejectReason reason, TimePoint now) const;

  // rebuild.cc: a new policy, or the contents of another pool
  void use_policy();
  void forget_residents();
  void start_programs();
  void rebuild_queue(std::vector<Request*> waiting, TimePoint now);
  std::vector<Request*> withdraw_all();
  void absorb(State& other, TimePoint now);

  // audit.cc
  std::string broken_invariant(TimePoint now);
};

}  // namespace turnpike::core
