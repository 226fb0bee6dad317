#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/hash_chain.h"
#include "base/ids.h"
#include "base/units.h"
#include "core/session/rules.h"
#include "core/session/session_table.h"
#include "store/session_store.h"

namespace turnpike::store {

// A session's key. Does not allocate. `seed` is drawn for each store, so that nobody can choose ids that collide.
inline SessionKey key_of(std::string_view id, std::uint64_t seed) {
  const SessionKey key(hash_bytes(id, seed));
  return key ? key : SessionKey(0);
}

// The operations of a session store on the core's session table; one caller at a time.
class StateTable {
 public:
  explicit StateTable(std::size_t capacity) : params_{.max_sessions = capacity}, table_(params_) {}

  SchedulerState get_or_create(SessionKey key, TimePoint now) {
    const core::Session* session = table_.find(key);
    if (session == nullptr) session = &touch(key, now);
    return {session->critical_path, session->total_wait};
  }
  void update_state(SessionKey key, Duration inherited, Duration execution, Duration waited,
                    TimePoint now) {
    core::Session& session = touch(key, now);
    session.critical_path = core::critical_path_after(session.critical_path, inherited, execution);
    session.total_wait += waited;
  }
  void update_affinity(SessionKey key, EndpointId endpoint, TimePoint now) {
    touch(key, now).endpoint = endpoint;
  }
  [[nodiscard]] std::optional<SessionState> get(SessionKey key, std::string_view id) const {
    const core::Session* session = table_.find(key);
    if (session == nullptr) return std::nullopt;
    return SessionState{std::string(id), session->critical_path, session->total_wait,
                        session->endpoint, session->last_activity};
  }
  std::size_t remove_idle(Duration idle, TimePoint now, std::size_t limit) {
    const std::size_t before = table_.size();
    params_.ttl = idle + Duration(1);  // strictly longer
    table_.set_params(params_);
    table_.expire(now, static_cast<int>(limit));
    return before - table_.size();
  }
  void clear() { table_ = core::SessionTable(params_); }
  [[nodiscard]] std::size_t size() const { return table_.size(); }

 private:
  core::Session& touch(SessionKey key, TimePoint now) {
    core::Session& session = table_.wake(key, TenantKey::none(), now);
    table_.rest(session, now);
    return session;
  }

  core::SessionTableParams params_;
  core::SessionTable table_;
};

}  // namespace turnpike::store
