#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/endpoint.h"
#include "core/pool/moving_mean.h"
#include "core/pool/request.h"
#include "core/program/gap_window.h"
#include "core/program/program_params.h"

namespace turnpike::core {

class Fleet;

// The account behind the admission `program`, after vllm-router's program scheduling. A session is a program. While it is active it
// has a place of so many tokens at one endpoint, and its turns go there at once; a paused one must be admitted again, where its
// prompt and a reserve for what it will grow by fit beside the places of the others. A place is kept after a turn for as long as the
// last gaps make that worth it (best_hold), and given up at the end of a turn that leaves the endpoint overdrawn. A request without
// session is no program: it goes at once and is counted nowhere.
//
// It owns neither requests nor endpoints; an endpoint carries the sum of its places. Whoever calls it refreshes the endpoint after.
// One caller at a time. O(log n) an event.
class ProgramSet {
 public:
  ProgramSet(const ProgramParams& params, Fleet& fleet) : params_(params), fleet_(&fleet) {}

  // Where a session has a place; none: it is paused.
  [[nodiscard]] EndpointId place(SessionKey session) const;
  // What a paused program needs to become active.
  [[nodiscard]] TokenCount need(const Request& request) const;

  // The lease is taken.
  void dispatched(Request& request, Endpoint& endpoint);
  // The lease is given back. `capacity`: of the endpoint's cache; `answered`: a first token came, its context is in that cache.
  void ended(Request& request, Endpoint& endpoint, TokenCount capacity, bool answered,
             TimePoint now);
  // The endpoint gets nothing any more.
  void lose(EndpointId endpoint);
  void end_session(SessionKey session);

  // Pauses a program whose place has been kept long enough; the endpoint where it was, none if there is no such program. Call until
  // there is none.
  EndpointId expire_one(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  [[nodiscard]] std::uint64_t pauses() const { return pauses_; }
  // For tests; empty if nothing is wrong.
  [[nodiscard]] std::string broken_invariant() const;

 private:
  struct Program {
    EndpointId endpoint;
    TokenCount counted;  // what its place takes
    int running = 0;     // requests
    int rounds = 0;      // turns since it became active
    TimePoint until{};   // its place is kept, while nothing of it runs
  };
  using Programs = absl::btree_map<SessionKey, Program>;

  void count(Program& program, TokenCount tokens);
  void pause(Programs::iterator program);
  [[nodiscard]] double reserve() const;

  ProgramParams params_;
  Fleet* fleet_;
  Programs active_;
  absl::btree_set<std::pair<TimePoint, SessionKey>> by_expiry_;  // of which nothing runs
  GapWindow gaps_;
  MovingMean appended_{0.0, 0.05};  // tokens that a turn adds: to the prompt, and as its answer
  MovingMean output_{0.0, 0.05};
  MovingMean rounds_{1.0, 0.05};  // turns between becoming active and a pause
  std::uint64_t pauses_ = 0;
};

}  // namespace turnpike::core
