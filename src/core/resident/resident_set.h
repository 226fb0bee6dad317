#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "core/pool/endpoint.h"
#include "core/pool/events.h"
#include "core/pool/flow_rate.h"
#include "core/pool/moving_mean.h"
#include "core/pool/request.h"
#include "core/prefix/prefix_holders.h"
#include "core/queue/fit_tree.h"
#include "core/queue/order_params.h"
#include "core/queue/tenant_accounts.h"
#include "core/resident/resident_params.h"
#include "core/resident/returns.h"
#include "core/resident/shares.h"

namespace turnpike::core {

class Fleet;

// Order, admission and placement of the policy `resident-set`, asked together. A waiting request is in exactly one line: the
// residents' of its endpoint (R1), the one of those that wait for an endpoint which holds their context, or the free one of its
// model and tenant. Residents go first; the others in order of a virtual deadline, as far as their whole context fits (R2, R4); at
// most one that has passed its deadline gets an endpoint of its own to drain (R5, the seat).
//
// Nobody who waits can go unless something changed: so next() looks only at the endpoints that were stirred and at the requests
// that came since it last found nothing, and costs the same however many endpoints and requests there are. Once a second it
// looks at all of them, because means of the whole pool move too.
//
// It owns neither requests nor endpoints; the accounts live in the endpoints. One caller at a time.
class ResidentSet {
 public:
  ResidentSet(const ResidentParams& params, const OrderParams& order, Fleet& fleet,
              const TenantAccounts& tenants)
      : params_(params), order_params_(order), fleet_(&fleet), tenants_(&tenants) {}

  struct Choice {
    Request* request = nullptr;
    Endpoint* endpoint = nullptr;
    Why why = Why::cold;
    Weighing weighing;  // by what place() costs
  };

  // `uncached`: fewest tokens to compute over the endpoints; `bound`: its session's endpoint, if that holds half of its context.
  void enqueue(Request& request, TokenCount uncached, Endpoint* bound, TimePoint now);
  void withdraw(Request& request, TimePoint now);
  // The next request that can go, and where; null if none can. May give a seat, which pauses sessions.
  Choice next(TimePoint now);
  // The lease is taken.
  void dispatched(Request& request, Endpoint& endpoint, TimePoint now);
  // The endpoint has new gauges.
  void observed(Endpoint& endpoint, TimePoint now);
  // The lease is given back. `answered`: a first token came; the session's context is then in the endpoint's cache.
  void ended(Request& request, Endpoint& endpoint, const Settlement* settlement, bool answered,
             TimePoint now);
  // It gets nothing any more: its residents leave, and who waits for it waits anywhere.
  void lose(Endpoint& endpoint);
  void end_session(Session& session);

  void advance(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;
  // Until what is ahead of this request in the order has been admitted; nothing while there is too little to go by.
  [[nodiscard]] std::optional<Duration> predicted_wait(const Request& request, TimePoint now) const;
  // Same for somebody who comes last.
  [[nodiscard]] std::optional<Duration> drain_time(TimePoint now) const;
  [[nodiscard]] const ResidentParams& params() const { return params_; }
  void set_params(const ResidentParams& params, const OrderParams& order);
  [[nodiscard]] std::size_t waiting() const { return in_lines_; }
  // Who waits, appended until there are `limit`: residents by arrival, then the others by virtual deadline. Who goes next depends on
  // the room there is as well.
  void list(std::size_t limit, std::vector<const Request*>& out) const;
  // C and the tokens in the account (shared prefixes included) of an endpoint, for showing.
  struct Figures {
    double capacity = 0;
    double resident = 0;
  };
  [[nodiscard]] Figures figures(const Endpoint& endpoint) const;
  // What a request would take of an endpoint's account, and what is free there without it; tokens.
  struct Fit {
    double need = 0;
    double room = 0;
  };
  [[nodiscard]] Fit fit_of(const Request& request, const Endpoint& endpoint) const;
  [[nodiscard]] static bool is_resident(const Session& session, const Endpoint& endpoint);
  [[nodiscard]] std::uint64_t pauses() const { return pauses_; }
  [[nodiscard]] std::uint64_t seats() const { return seats_; }

  // For tests: recounts everything. Nothing may wait that could go.
  [[nodiscard]] std::string broken_invariant(TimePoint now) const;

 private:
  struct Ended {
    TimePoint at;
    SessionKey session;
    int kind = 0;
  };
  struct Seat {
    Request* request = nullptr;
    Endpoint* endpoint = nullptr;
  };
  struct Expiry {
    TimePoint at;
    SessionKey session;
    EndpointId endpoint;

    friend auto operator<=>(const Expiry&, const Expiry&) = default;
  };
  struct Weighed {
    double cost = 0;
    std::uint64_t attraction = 0;
    Endpoint* endpoint = nullptr;
  };
  struct Listed {
    double room = 0;
    EndpointId id;
    Endpoint* endpoint = nullptr;

    friend bool operator<(const Listed& a, const Listed& b) {
      return std::pair(a.room, a.id) < std::pair(b.room, b.id);
    }
  };
  using Line = FitTree<Request>;

  [[nodiscard]] std::string waits_in_vain(TimePoint now) const;

  // learning.cc: how much room there is, for how long a place is kept, how long one waits
  ResidentAccount& account(Endpoint& endpoint) const;
  [[nodiscard]] double shared(const Endpoint& endpoint) const;
  [[nodiscard]] double own_tokens(const Request& request, const Endpoint& endpoint) const;
  [[nodiscard]] double least_own_tokens(const Request& request, const Endpoint* bound) const;
  [[nodiscard]] double need(const Request& request, const Endpoint& endpoint) const;
  [[nodiscard]] double room(const Endpoint& endpoint, double need, bool adds_session) const;
  [[nodiscard]] double left_to_run(const Endpoint& endpoint) const;
  [[nodiscard]] static bool has_slot(const Endpoint& endpoint);
  [[nodiscard]] bool can_run(const Request& request, const Endpoint& endpoint) const;
  [[nodiscard]] bool admits(const Request& request, const Endpoint& endpoint, TimePoint now) const;
  void learn_capacity(Request& request, Endpoint& endpoint, const Usage& usage);
  [[nodiscard]] double least_capacity(const ResidentAccount& own) const;
  void count_return(const Session& session, TimePoint now);
  void count_absences(TimePoint now);
  void tick(TimePoint now);

  // resident_set.cc: who waits where, and who keeps a place
  void rank(Request& request, TokenCount uncached);
  void join_residents(Request& request, Endpoint& endpoint);
  void join_others(Request& request, Endpoint* bound);
  void leave_line(Request& request);
  void rest(Endpoint& endpoint, Session& session, double hold, TimePoint now);
  void pause(Endpoint& endpoint, SessionKey key);
  void leave_account(Endpoint& endpoint, SessionKey key, Occupant& occupant);
  [[nodiscard]] SessionKey victim(const Endpoint& endpoint) const;
  void fit(Endpoint& endpoint);
  void forget_if_empty(Endpoint& endpoint, SessionKey key);

  // choosing.cc: whose turn is next, and where
  void stir(Endpoint& endpoint);
  void take_changes(TimePoint now);
  void list_room(Endpoint& endpoint, TimePoint now);
  Choice next_resident(TimePoint now);
  Choice next_seated(TimePoint now);
  Choice next_other(TimePoint now);
  Request* first_that_fits(Endpoint& endpoint, TimePoint now);
  Request* first_in(const Line& line, Endpoint& endpoint, std::int64_t most, TimePoint now) const;
  [[nodiscard]] bool goes_before(const Request& a, const Request& b) const;
  [[nodiscard]] bool may_go_before(TenantKey tenant, const Line& line, const Request& other) const;
  [[nodiscard]] bool exceeds_share(const Request& request) const;
  Choice best_place(Request& request, TimePoint now);
  bool give_seat(TimePoint now);
  void leave_seat();
  void make_room(const Request& request, Endpoint& endpoint);

  ResidentParams params_;
  OrderParams order_params_;
  Fleet* fleet_;
  const TenantAccounts* tenants_;

  std::map<ModelId, std::map<TenantKey, Line>> free_;
  Line all_others_;  // the free and the bound ones of all models in one order
  Shares shares_;
  Seat seat_;
  absl::btree_set<Expiry> expiries_;  // of places whose session has no waiting turn

  std::vector<EndpointId> stirred_;
  std::vector<Request*> fresh_;
  absl::btree_set<Listed> by_room_;  // endpoints with room
  bool stir_all_ = true;
  HeldParts held_;  // scratch
  std::vector<Weighed> weighed_;
  std::uint64_t weighings_ = 0;

  MovingMean reserve_{512.0, 0.02};  // output tokens of an answer
  MovingMean growth_{0.0, 0.01};     // g: what a turn adds to its session's context
  std::array<Returns, 4>
      returns_;              // by kind of the turn: first or later, for a person or in a tool call
  std::deque<Ended> ended_;  // turns whose session may still come back
  absl::flat_hash_map<SessionKey, Ended> away_;
  FlowRate admitted_;              // tokens of others than residents
  double total_capacity_ = 0;      // of all dispatchable endpoints, at the last tick
  bool somebody_refused_ = false;  // somebody found no room since the last tick
  TimePoint next_tick_{};
  TimePoint last_tick_{};
  TimePoint last_seat_check_{};
  std::size_t in_lines_ = 0;
  std::uint64_t pauses_ = 0;
  std::uint64_t seats_ = 0;
};

}  // namespace turnpike::core
