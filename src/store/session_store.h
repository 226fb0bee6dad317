#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "base/units.h"

// What a scheduler keeps of conversations, as a library that several threads share: AIBrix's session store. The gateway's own policy
// needs none of this; its owner uses core::SessionTable directly.
namespace turnpike::store {

struct SchedulerState {
  Duration critical_path{0};
  Duration total_wait{0};

  friend bool operator==(const SchedulerState&, const SchedulerState&) = default;
};

struct SessionState {
  std::string id;
  Duration critical_path{0};
  Duration total_wait{0};
  EndpointId endpoint;  // none: not bound
  TimePoint last_activity{};
};

class Cleanup;

// Sessions by id. Any thread may call anything at any time. A caller sees what it wrote itself; what others wrote it sees in some
// order, and the last writer wins. Bounded: beyond its capacity the session that was written least recently is forgotten.
class SessionStore {
 public:
  virtual ~SessionStore() = default;
  SessionStore(const SessionStore&) = delete;
  SessionStore& operator=(const SessionStore&) = delete;

  // What a request inherits when it is scheduled. Creates the session, which counts as activity; reading a known one does not.
  virtual SchedulerState get_or_create_for_scheduler(std::string_view id) = 0;
  // A request that was scheduled at `inherited` ran for `execution` after it had waited: the critical path becomes
  // max(current, inherited + execution), waits add up. Creates and refreshes.
  virtual void update_state(std::string_view id, Duration inherited, Duration execution,
                            Duration waited) = 0;
  // Where the session's requests should go. Creates and refreshes.
  virtual void update_affinity(std::string_view id, EndpointId endpoint) = 0;
  // A copy; nothing for an unknown session, which is not created.
  virtual std::optional<SessionState> get(std::string_view id) = 0;

  // Forgets sessions whose last activity is longer ago than `idle`, at most about `limit` of them; returns how many. Zero: there are
  // no more.
  virtual std::size_t remove_idle(Duration idle, std::size_t limit) = 0;
  // From now on reads are empty and updates are dropped and counted. Idempotent; returns when nothing is left.
  virtual void close() = 0;

  virtual std::size_t size() = 0;
  // Updates that came after close().
  [[nodiscard]] virtual std::uint64_t dropped() const = 0;

  // Calls remove_idle() every `interval` on a thread of its own, in small steps, until the handle is stopped or destroyed, which must
  // be before the store is.
  [[nodiscard]] Cleanup start_cleanup(Duration interval, Duration idle);

 protected:
  explicit SessionStore(const Clock& clock) : clock_(clock) {}
  const Clock& clock_;
};

// A running clean-up. Stopping it twice, or from two threads, is fine; stop() returns when its thread has ended.
class Cleanup {
 public:
  Cleanup(Cleanup&&) noexcept;
  Cleanup& operator=(Cleanup&&) = delete;
  ~Cleanup();
  void stop();

 private:
  friend class SessionStore;
  class Thread;
  explicit Cleanup(std::unique_ptr<Thread> thread);
  std::unique_ptr<Thread> thread_;
};

}  // namespace turnpike::store
