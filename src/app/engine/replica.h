#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <absl/container/flat_hash_map.h>

#include "base/units.h"
#include "engine/engine.h"

namespace turnpike::app {

class Replica;

// One answer in the making, in the hands of whoever writes it to the client. Destroying it takes it out of the engine, in
// whatever state it is.
class Generation {
 public:
  // Called after new tokens or the end were noted here; must not destroy the generation.
  class Listener {
   public:
    virtual void on_progress() = 0;

   protected:
    ~Listener() = default;
  };

  Generation(Replica& replica, Listener& listener) : replica_(replica), listener_(listener) {}
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;
  ~Generation();

  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] TokenCount cached() const { return cached_; }
  [[nodiscard]] bool finished() const { return finished_; }

 private:
  friend class Replica;
  Replica& replica_;
  Listener& listener_;
  engine::SequenceId id_;  // none: not in the engine
  TimePoint arrived_;
  std::int64_t tokens_ = 0;
  TokenCount cached_;
  bool finished_ = false;
};

// The engine model against a clock: steps begin when the one before has ended or when there is work again, and end when their
// time is over. Late calls change nothing in the model's own times: a step that follows another begins where that one ended.
// Times are simulated. One thread; no timer of its own (next_deadline).
class Replica {
 public:
  // Hears of times, for metrics.
  class Observer {
   public:
    virtual void on_first_token(Duration since_arrival) = 0;
    virtual void on_finished(Duration since_arrival) = 0;

   protected:
    ~Observer() = default;
  };

  Replica(const engine::EngineParams& params, Observer& observer)
      : engine_(params), observer_(observer) {}
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  // False if the sequence could never run here; its id is set here. `generation` may be started once.
  bool start(Generation& generation, engine::SequenceSpec spec, TimePoint now);
  // Ends the steps that are over by `now`, telling the listeners.
  void advance(TimePoint now);
  // When the step under way ends.
  [[nodiscard]] std::optional<TimePoint> next_deadline() const { return step_ends_; }

  [[nodiscard]] const engine::Engine& engine() const { return engine_; }

 private:
  friend class Generation;
  void begin_step(TimePoint at);

  engine::Engine engine_;
  Observer& observer_;
  absl::flat_hash_map<engine::SequenceId, Generation*> generations_;
  std::uint64_t next_id_ = 0;
  std::optional<TimePoint> step_ends_;
};

}  // namespace turnpike::app
