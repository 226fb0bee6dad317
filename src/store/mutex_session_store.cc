#include "store/mutex_session_store.h"

#include "store/seed.h"

namespace turnpike::store {

MutexSessionStore::MutexSessionStore(const Clock& clock, std::size_t capacity)
    : SessionStore(clock), seed_(draw_seed()), table_(capacity) {}

SchedulerState MutexSessionStore::get_or_create_for_scheduler(std::string_view id) {
  const SessionKey key = key_of(id, seed_);
  const std::lock_guard lock(mutex_);
  return closed_ ? SchedulerState{} : table_.get_or_create(key, clock_.now());
}

void MutexSessionStore::update_state(std::string_view id, Duration inherited, Duration execution,
                                     Duration waited) {
  const SessionKey key = key_of(id, seed_);
  const std::lock_guard lock(mutex_);
  if (closed_) {
    ++dropped_;
  } else {
    table_.update_state(key, inherited, execution, waited, clock_.now());
  }
}

void MutexSessionStore::update_affinity(std::string_view id, EndpointId endpoint) {
  const SessionKey key = key_of(id, seed_);
  const std::lock_guard lock(mutex_);
  if (closed_) {
    ++dropped_;
  } else {
    table_.update_affinity(key, endpoint, clock_.now());
  }
}

std::optional<SessionState> MutexSessionStore::get(std::string_view id) {
  const SessionKey key = key_of(id, seed_);
  const std::lock_guard lock(mutex_);
  return table_.get(key, id);
}

std::size_t MutexSessionStore::remove_idle(Duration idle, std::size_t limit) {
  const std::lock_guard lock(mutex_);
  return table_.remove_idle(idle, clock_.now(), limit);
}

void MutexSessionStore::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  table_.clear();
}

std::size_t MutexSessionStore::size() {
  const std::lock_guard lock(mutex_);
  return table_.size();
}

std::uint64_t MutexSessionStore::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace turnpike::store
