#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include <absl/container/inlined_vector.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/admission/room.h"
#include "core/ledger/ledger.h"
#include "core/pool/kept_submission.h"
#include "core/queue/linked_list.h"
#include "core/queue/rank.h"
#include "core/queue/wait_line.h"
#include "core/resident/resident_part.h"

namespace turnpike::core {

struct Endpoint;
struct Session;

struct OfModel;      // those that wait for one model, in the order in which they began to
struct OfSession;    // those of one session
struct OfNewcomers;  // those that a turn of a running session may displace

// What is known of a request only while it runs. It begins with the lease and ends when everybody has heard that the lease was
// given back.
struct RunningPart {
  Lease lease;
  Endpoint* endpoint = nullptr;
  TokenCount uncached;          // of its prompt, expected to be computed
  Lease prefill_lease;          // until the first token, if another endpoint computes the prompt
  Endpoint* prefill = nullptr;  // that one; set exactly while that lease is held
  TimePoint first_token_at = TimePoint::max();       // seen on a stream
  TimePoint assumed_first_token = TimePoint::max();  // of an answer that is not streamed
  double charged = 0.0;           // to its tenant and session so far, in weighted tokens
  std::uint64_t prefix_used = 0;  // see PrefixIndex::learn()
  ResidentStay resident;
  bool answered = false;  // a first token was seen or assumed
  bool is_probe = false;
  bool main_chain = false;  // it continues its session's main chain
  bool in_program = false;  // counted among what runs of its session's program
};

// Where a request failed.
struct Failures {
  absl::InlinedVector<EndpointId, 3> tried;  // those it may not be sent to again
  EndpointId prefill;                        // that computed the prompt the last time
  int deaths = 0;                            // endpoints that died of it
};

// One request from submission to its end. It is queued or dispatched: dispatched exactly while it holds a lease. Most requests of a
// full pool only wait: whatever is not needed for that stands apart.
struct Request : Link<Request, OfModel>, Link<Request, OfSession>, Link<Request, OfNewcomers> {
  KeptSubmission submission;
  Arrival arrival;             // the first, also of an earlier attempt of the client
  TimePoint enqueued{};        // began to wait, this time
  Session* session = nullptr;  // null: a one-shot request; alive while the request is
  Duration inherited{0};       // its session's critical path when it was submitted

  std::unique_ptr<RunningPart> running;
  std::unique_ptr<Failures> failures;

  // While it waits.
  // What it takes of an endpoint's room, where admission counts tokens.
  TokenCount size = kUncounted;
  // The value of its rank; see order_value() and boosted_value(). It changes only while the request is in no line.
  std::int64_t order_value = 0;
  TimePoint starves_at = TimePoint::max();
  ResidentPart resident;
  WaitTicket ticket;           // see WaitLine
  EndpointId only;             // the one endpoint it waits for; none: any that can take it
  std::uint16_t attempt = 0;   // dispatches so far
  bool streaming : 1 = false;  // of the submission
  bool adapter : 1 = false;    // likewise
  bool boosted : 1 = false;
  bool rescued : 1 = false;  // it went because it had waited too long

  [[nodiscard]] bool dispatched() const { return running != nullptr && running->lease; }
  [[nodiscard]] bool is_retry() const { return failures != nullptr; }
  [[nodiscard]] std::span<const EndpointId> tried() const {
    return failures == nullptr ? std::span<const EndpointId>() : failures->tried;
  }
  // In its lane. Boosted ones stand first.
  [[nodiscard]] Rank rank() const {
    return {.tier = boosted ? 0 : 1, .value = order_value, .arrival = arrival};
  }
  // Under `resident-set`: in its line, and the virtual deadline.
  [[nodiscard]] Rank resident_rank() const {
    return {.tier = resident.tier, .value = order_value, .arrival = arrival};
  }
  [[nodiscard]] TimePoint virtual_deadline() const { return TimePoint(Duration(order_value)); }
};

}  // namespace turnpike::core
