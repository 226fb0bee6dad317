#pragma once

#include <cstdint>

#include <absl/container/inlined_vector.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/admission/room.h"
#include "core/ledger/ledger.h"
#include "core/pool/events.h"
#include "core/queue/linked_list.h"
#include "core/queue/rank.h"
#include "core/queue/wait_line.h"
#include "core/resident/resident_part.h"

namespace turnpike::core {

struct Endpoint;
struct Session;

struct OfQueue;      // all waiting requests of the pool, in the order in which they began to wait
struct OfModel;      // those of one model, likewise
struct OfSession;    // those of one session
struct OfNewcomers;  // those that a turn of a running session may displace

using Endpoints = absl::InlinedVector<EndpointId, 3>;

// One request from submission to its end. It is queued or dispatched: dispatched exactly while it holds a lease.
struct Request : Link<Request, OfQueue>,
                 Link<Request, OfModel>,
                 Link<Request, OfSession>,
                 Link<Request, OfNewcomers> {
  Submission submission;
  Arrival arrival;             // the first, also of an earlier attempt of the client
  TimePoint enqueued{};        // began to wait, this time
  Session* session = nullptr;  // null: a one-shot request; alive while the request is

  // While it waits.
  TokenCount size =
      kUncounted;   // what it takes of an endpoint's room, where admission counts tokens
  EndpointId only;  // the one endpoint it waits for; none: any that can take it
  bool boosted = false;
  bool rescued = false;          // it went because it had waited too long
  std::uint64_t recency = 0;     // of its session's completion, if boosted
  std::int64_t order_value = 0;  // see order_value()
  TimePoint starves_at = TimePoint::max();
  WaitTicket ticket;  // see WaitLine
  Rank rank;

  // While it runs.
  Lease lease;
  Endpoint* endpoint = nullptr;
  TimePoint first_token_at = TimePoint::max();       // seen on a stream
  TimePoint assumed_first_token = TimePoint::max();  // of an answer that is not streamed

  Duration inherited{0};          // its session's critical path when it was submitted
  double charged = 0.0;           // to its tenant and session so far, in weighted tokens
  std::uint64_t prefix_used = 0;  // see PrefixIndex::learn()
  bool answered = false;          // a first token was seen or assumed
  bool is_probe = false;
  bool main_chain = false;  // it continues its session's main chain
  int attempt = 0;          // dispatches so far
  int deaths = 0;           // endpoints that died of it

  bool in_program = false;  // counted among what runs of its session's program
  ResidentPart resident;

  Endpoints tried;  // those it may not be sent to again

  [[nodiscard]] bool dispatched() const { return static_cast<bool>(lease); }
};

}  // namespace turnpike::core
