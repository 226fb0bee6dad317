#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"

// What a pool shows of itself: copies, made on demand.
namespace turnpike::core {

// Everything that only grows. submitted = finished + failed + cancelled + cancelled_queued +
// sum(rejected) + queued + in flight.
struct PoolCounters {
  std::uint64_t submitted = 0;
  std::array<std::uint64_t, kWhyCount> dispatched{};         // by Why, retries included
  std::array<std::uint64_t, kRejectReasonCount> rejected{};  // by RejectReason
  std::uint64_t finished = 0;
  std::uint64_t failed = 0;
  std::uint64_t cancelled = 0;  // after dispatch
  std::uint64_t cancelled_queued = 0;
  std::uint64_t retries = 0;    // dispatches after the first of a request
  std::uint64_t boosts = 0;     // requests that were given a boost
  std::uint64_t overtakes = 0;  // dispatches ahead of an earlier arrival for the same model
  std::uint64_t overtake_limit_hits =
      0;  // requests that ranked first because they had been overtaken often enough
  std::uint64_t rebinds = 0;     // dispatches that moved a session to another endpoint
  std::uint64_t grace_held = 0;  // slots held after a turn
  std::uint64_t grace_used = 0;  // of those, taken by the session's next turn
  std::uint64_t pauses = 0;      // sessions that lost their place in an account of residents
  std::uint64_t seats = 0;       // endpoints that made room for one who had waited too long
  std::uint64_t breaker_opened = 0;
  std::uint64_t sessions_evicted = 0;
  std::uint64_t arrivals_kept = 0;  // client retries that kept their first arrival time
  std::uint64_t predicted_cached_tokens = 0;
  std::uint64_t reported_cached_tokens = 0;
  std::uint64_t prompt_tokens = 0;  // of finished requests, as reported, else as estimated
  std::uint64_t output_tokens = 0;  // as reported

  void add(const PoolCounters& other);
};

struct PoolView {
  std::string policy;
  std::size_t queued = 0;
  std::size_t in_flight = 0;  // dispatched and not settled
  std::size_t leases = 0;     // the sum over all endpoints; equals in_flight
  ByteCount queued_bytes;
  TokenCount queued_tokens;
  std::size_t endpoints = 0;
  std::size_t dispatchable = 0;
  bool panic = false;                       // ejection by failed requests is being ignored
  std::size_t sessions = 0;                 // remembered
  std::size_t sessions_tracked = 0;         // of those, whose next turn would be boosted
  std::size_t slots_held = 0;               // by grace
  double dispatched_tokens_per_second = 0;  // mean over the last minute; 0: nothing was
  std::optional<Duration> predicted_wait;   // of a newcomer that arrives now
  PoolCounters counters;
};

enum class BreakerState : std::uint8_t { closed, open, half_open };

struct EndpointView {
  EndpointId id;
  std::string name;
  Role role = Role::both;
  std::vector<ModelId> models;
  std::size_t leases = 0;
  TokenCount running_tokens;  // of the contexts in flight
  TokenCount
      backlog_tokens;  // uncached prompt tokens dispatched that have brought no first token yet
  std::optional<TokenCount> resident_tokens;  // where a policy keeps account of them
  std::optional<TokenCount> capacity_tokens;  // configured, else reported
  Gauges gauges;
  std::optional<Duration> gauge_age;  // none: never scraped
  int slots = 0;                      // configured, else learned; 0: unknown
  int foreign = 0;                    // requests there at the last scrape that are not ours
  int slots_held = 0;                 // by grace
  double seconds_per_token = 0;       // of prefill, learned
  bool healthy = true;                // by the active check
  BreakerState breaker = BreakerState::closed;
  bool refuses = false;  // the last connection attempt was refused
  bool draining = false;
  bool removed = false;  // gone, but requests are still running there
  bool dispatchable = true;
  bool has_room = true;
  std::uint64_t dispatched = 0;
  std::uint64_t failures = 0;
  std::uint64_t sheds = 0;  // answers that said it was full
};

struct QueuedView {
  RequestId id;
  std::size_t position = 0;  // 1: next in the order
  ModelId model;
  SessionKey session;
  TenantKey tenant;
  TokenCount prompt_tokens;
  Duration waited{0};
  bool boosted = false;
  int attempt = 1;                         // the one it waits for
  std::optional<Duration> predicted_wait;  // from now
};

// What a session is doing.
enum class SessionMode : std::uint8_t {
  queued,   // a turn waits, none runs
  running,  // a turn runs
  acting,   // between turns; its context is counted as resident
  paused,   // between turns
};

struct SessionView {
  SessionKey key;
  TenantKey tenant;
  SessionMode mode = SessionMode::paused;
  EndpointId endpoint;  // where its context is; none: unknown
  TokenCount context_tokens;
  std::uint32_t turns = 0;  // ended ones
  int in_flight = 0;
  int queued = 0;
  Duration total_wait{0};
  Duration critical_path{0};
  double attained_tokens = 0;  // uncached prompt + 2 x output, halved every ten minutes
  std::optional<Duration> since_completed;
  Duration idle{0};      // since its last activity
  bool boosted = false;  // its next turn would be
};

struct SessionPage {
  std::vector<SessionView> sessions;
  std::uint32_t next = 0;  // pass as `after` for the next page; 0: this was the last
};

std::string_view to_string(BreakerState state);
std::string_view to_string(SessionMode mode);

}  // namespace turnpike::core
