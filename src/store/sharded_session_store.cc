#include "store/sharded_session_store.h"

#include <algorithm>

#include "store/seed.h"
#include "store/shard.h"

namespace turnpike::store {

ShardedSessionStore::ShardedSessionStore(const Clock& clock, std::size_t capacity)
    : SessionStore(clock), seed_(draw_seed()) {
  for (std::unique_ptr<Shard>& shard : shards_)
    shard = std::make_unique<Shard>(clock, std::max<std::size_t>(capacity / kShards, 1));
}

ShardedSessionStore::~ShardedSessionStore() = default;

SchedulerState ShardedSessionStore::get_or_create_for_scheduler(std::string_view id) {
  const SessionKey key = key_of(id, seed_);
  SchedulerState state;
  shard_of(key).ask(
      [&](StateTable& table, TimePoint now) { state = table.get_or_create(key, now); });
  return state;
}

void ShardedSessionStore::update_state(std::string_view id, Duration inherited, Duration execution,
                                       Duration waited) {
  const SessionKey key = key_of(id, seed_);
  count(shard_of(key).send(Shard::StateUpdate{key, inherited, execution, waited}));
}

void ShardedSessionStore::update_affinity(std::string_view id, EndpointId endpoint) {
  const SessionKey key = key_of(id, seed_);
  count(shard_of(key).send(Shard::AffinityUpdate{key, endpoint}));
}

std::optional<SessionState> ShardedSessionStore::get(std::string_view id) {
  const SessionKey key = key_of(id, seed_);
  std::optional<SessionState> state;
  shard_of(key).ask([&](StateTable& table, TimePoint) { state = table.get(key, id); });
  return state;
}

std::size_t ShardedSessionStore::remove_idle(Duration idle, std::size_t limit) {
  std::size_t removed = 0;
  for (std::size_t i = 0; i < kShards && removed < limit; ++i) {
    Shard& shard = *shards_[next_to_clean_.fetch_add(1, std::memory_order_relaxed) % kShards];
    shard.ask([&](StateTable& table, TimePoint now) {
      removed += table.remove_idle(idle, now, limit - removed);
    });
  }
  return removed;
}

void ShardedSessionStore::close() {
  for (const std::unique_ptr<Shard>& shard : shards_) shard->close();
}

std::size_t ShardedSessionStore::size() {
  std::size_t sum = 0;
  for (const std::unique_ptr<Shard>& shard : shards_)
    shard->ask([&](StateTable& table, TimePoint) { sum += table.size(); });
  return sum;
}

void ShardedSessionStore::occupy(std::string_view id, const std::function<void()>& work) {
  shard_of(key_of(id, seed_)).ask([&](StateTable&, TimePoint) { work(); });
}

std::size_t ShardedSessionStore::waiting(std::string_view id) {
  return shard_of(key_of(id, seed_)).waiting();
}

void ShardedSessionStore::count(bool delivered) {
  if (!delivered) dropped_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace turnpike::store
