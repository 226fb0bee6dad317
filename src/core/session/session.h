#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/units.h"
#include "core/queue/linked_list.h"
#include "core/session/decaying_sum.h"
#include "core/session/gaps.h"

namespace turnpike::core {

struct Request;

// What a pool knows of one conversation. Under 200 bytes; a million of them must stay affordable.
struct Session {
  SessionKey key;
  TenantKey tenant;
  TokenCount context_tokens;  // of the main chain after its last turn: prompt and answer
  std::uint64_t chain_hash =
      0;  // of the last turn's last whole block of prompt, and its number: how a later prompt shows that
  std::uint32_t chain_blocks = 0;  // it extends the main chain; 0: unknown
  std::uint32_t turns = 0;         // of the main chain, that brought a first token
  Duration critical_path{0};       // see critical_path_after()
  Duration total_wait{0};          // of all its requests
  Duration starved_wait{
      0};  // waits and service since it was last moved to the front for having waited too long
  Duration starved_service{0};
  DecayingSum attained;  // tokens: uncached prompt + 2 x output
  TimePoint last_completed{};
  TimePoint last_activity{};
  GapStatistics tool_gaps{std::chrono::seconds(5)};     // after turns that ended in a tool call
  GapStatistics person_gaps{std::chrono::seconds(20)};  // after turns that ended for a person
  EndpointId endpoint;                                  // where its context was built last
  EndpointId resident_at;    // in whose account of residents it is, if it still is
  EndpointId held_endpoint;  // where a slot is held for its next turn
  std::int32_t in_flight = 0;
  std::int32_t queued = 0;
  std::uint32_t newer = 0;  // neighbours among the idle, by number
  std::uint32_t older = 0;
  bool idle = false;                // in the list of the idle
  bool ended_in_tool_call = false;  // its last turn
  bool seen = false;                // a request has borne its id
  bool confirmed = false;  // it is a conversation: the id is not doubtful, or has come twice
  LinkedList<Request, struct OfSession> waiting;

  // It has had a turn, or has one running: its next turn is not a newcomer.
  [[nodiscard]] bool running() const { return turns > 0 || in_flight > 0; }
};

}  // namespace turnpike::core
