#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/units.h"
#include "core/queue/linked_list.h"

namespace turnpike::core {

struct Request;

// What a pool knows of one conversation. About 130 bytes; a million of them must stay affordable.
struct Session {
  SessionKey key;
  TenantKey tenant;
  TokenCount context_tokens;  // of the main chain after its last turn: prompt and answer
  Duration total_wait{0};
  TimePoint last_completed{};
  TimePoint last_activity{};
  EndpointId endpoint;       // where its context was built last
  EndpointId held_endpoint;  // where a slot is held for its next turn
  std::uint32_t turns = 0;   // that brought a first token
  std::int32_t in_flight = 0;
  std::int32_t queued = 0;
  std::uint32_t newer = 0;  // neighbours among the idle, by number
  std::uint32_t older = 0;
  bool idle = false;  // in the list of the idle
  LinkedList<Request, struct OfSession> waiting;

  // It has had a turn, or has one running: its next turn is not a newcomer.
  [[nodiscard]] bool running() const { return turns > 0 || in_flight > 0; }
};

}  // namespace turnpike::core
