#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "store/session_store.h"
#include "store/state_table.h"

namespace turnpike::store {

class Shard;

// 256 tables, each an actor: it has a mailbox of 128 messages, which are handled one after the other by whichever thread finds the
// actor idle; there are no threads of its own. An update is a message nobody waits for, a read waits for its answer; both come to
// an actor in the order in which one thread sent them. A full mailbox blocks the sender until there is room.
class ShardedSessionStore final : public SessionStore {
 public:
  static constexpr std::size_t kShards = 256;
  explicit ShardedSessionStore(const Clock& clock, std::size_t capacity = 1'000'000);
  ~ShardedSessionStore() override;

  SchedulerState get_or_create_for_scheduler(std::string_view id) override;
  void update_state(std::string_view id, Duration inherited, Duration execution,
                    Duration waited) override;
  void update_affinity(std::string_view id, EndpointId endpoint) override;
  std::optional<SessionState> get(std::string_view id) override;
  std::size_t remove_idle(Duration idle, std::size_t limit) override;
  void close() override;
  std::size_t size() override;
  [[nodiscard]] std::uint64_t dropped() const override {
    return dropped_.load(std::memory_order_relaxed);
  }

  // For tests: calls `work` as the actor that has the session `id`, as a message that takes as long as it takes.
  void occupy(std::string_view id, const std::function<void()>& work);
  // Messages that wait there.
  [[nodiscard]] std::size_t waiting(std::string_view id);

 private:
  Shard& shard_of(SessionKey key) { return *shards_[key.value() % kShards]; }
  void count(bool delivered);

  const std::uint64_t seed_;
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::size_t> next_to_clean_{0};
  std::array<std::unique_ptr<Shard>, kShards> shards_;
};

}  // namespace turnpike::store
