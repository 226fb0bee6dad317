#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include "core/session/session.h"
#include "core/session/session_params.h"
#include "core/session/slab.h"

namespace turnpike::core {

// The sessions of one pool. Bounded: beyond max_sessions the one that has been idle longest is forgotten. A session with a
// request queued or in flight is never forgotten; those are bounded by the queue and by what the endpoints run.
//
// References stay valid until the session is forgotten, hence at least while it has a request. One caller at a time.
class SessionTable {
 public:
  explicit SessionTable(const SessionTableParams& params)
      : params_(params),
        sessions_(std::make_unique<Slab<Session>>()),
        numbers_(0, {}, {sessions_.get()}) {}

  void set_params(const SessionTableParams& params);

  // Never creates and does not refresh. Null for an unknown session and for the id of nothing.
  [[nodiscard]] Session* find(SessionKey key);
  [[nodiscard]] const Session* find(SessionKey key) const;

  // The session, made if it is unknown, taken off the idle list. Give it back with rest() when none of its requests is left.
  Session& wake(SessionKey key, TenantKey tenant, TimePoint now);
  // Puts a session without requests behind all other idle ones. Changes nothing if it has requests.
  void rest(Session& session, TimePoint now);

  void forget(SessionKey key);
  // Forgets what has been idle longer than the TTL; at most `limit` of them.
  void expire(TimePoint now, int limit);
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;

  [[nodiscard]] std::size_t size() const { return sessions_->size(); }
  [[nodiscard]] std::uint64_t evicted() const { return evicted_; }

  // For paging: the session with the smallest number above `number`, and its number; null at the end.
  [[nodiscard]] const Session* next(std::uint32_t& number) const;

 private:
  using Number = Slab<Session>::Number;

  // The index holds numbers and a part of the key (which is a hash), not the key, which stands in the session: at a million sessions it
  // takes half as much, and grows without touching them.
  struct Entry {
    std::uint32_t part = 0;
    Number number = 0;
  };
  static std::uint32_t part_of(SessionKey key) { return static_cast<std::uint32_t>(key.value()); }
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const Entry& entry) const { return absl::HashOf(entry.part); }
    std::size_t operator()(SessionKey key) const { return absl::HashOf(part_of(key)); }
  };
  struct Equal {
    using is_transparent = void;
    const Slab<Session>* sessions = nullptr;
    bool operator()(const Entry& a, const Entry& b) const { return a.number == b.number; }
    bool operator()(const Entry& a, SessionKey key) const {
      return a.part == part_of(key) && (*sessions)[a.number].key == key;
    }
  };

  void unlink(Session& session);
  void evict_surplus();
  void erase(Number number);

  SessionTableParams params_;
  std::unique_ptr<Slab<Session>> sessions_;  // where the index finds it after a move
  absl::flat_hash_set<Entry, Hash, Equal> numbers_;
  Number oldest_ = 0;  // of the idle
  Number newest_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace turnpike::core
