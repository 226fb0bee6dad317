#pragma once

#include <mutex>

#include "store/session_store.h"
#include "store/state_table.h"

namespace turnpike::store {

// One table and one mutex.
class MutexSessionStore final : public SessionStore {
 public:
  explicit MutexSessionStore(const Clock& clock, std::size_t capacity = 1'000'000);

  SchedulerState get_or_create_for_scheduler(std::string_view id) override;
  void update_state(std::string_view id, Duration inherited, Duration execution,
                    Duration waited) override;
  void update_affinity(std::string_view id, EndpointId endpoint) override;
  std::optional<SessionState> get(std::string_view id) override;
  std::size_t remove_idle(Duration idle, std::size_t limit) override;
  void close() override;
  std::size_t size() override;
  [[nodiscard]] std::uint64_t dropped() const override;

 private:
  const std::uint64_t seed_;
  mutable std::mutex mutex_;
  StateTable table_;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
};

}  // namespace turnpike::store
