#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "core/journal/event.h"
#include "core/pool/pool.h"

namespace turnpike::core {

// Plays recorded events on pools of its own, in the order in which they were recorded. The same events give the same decisions, bit
// for bit, where the recording is whole; after a gap in it, and under another policy, events may not fit what the pools did: those
// are passed over and counted. For journals that a gateway wrote, not for hostile ones: parameters are taken as they are.
class Replay {
 public:
  Replay() = default;
  // Another policy instead of the recorded one, for all pools.
  explicit Replay(PoolParams instead) : instead_(std::move(instead)) {}

  void play(const JournalRecord& record);

  // Null: there is no such pool (any more).
  [[nodiscard]] Pool* pool(std::uint32_t number);
  [[nodiscard]] const std::map<std::uint32_t, Pool>& pools() const { return pools_; }
  // Events that fitted nothing: of a request that is unknown or in another state.
  [[nodiscard]] std::uint64_t passed_over() const { return passed_over_; }

 private:
  std::optional<PoolParams> instead_;
  std::map<std::uint32_t, Pool> pools_;
  TimePoint now_{};
  std::uint64_t passed_over_ = 0;
};

}  // namespace turnpike::core
