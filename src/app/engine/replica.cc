#include "app/engine/replica.h"

#include <cassert>
#include <utility>

namespace turnpike::app {

Generation::~Generation() {
  if (!id_) return;
  replica_.engine_.abort(id_);
  replica_.generations_.erase(id_);
}

bool Replica::start(Generation& generation, engine::SequenceSpec spec, TimePoint now) {
  assert(!generation.id_ && !generation.finished_);
  advance(now);
  const engine::SequenceId id(next_id_++);
  spec.id = id;
  if (!engine_.add(std::move(spec))) return false;
  generation.id_ = id;
  generation.arrived_ = now;
  generations_.emplace(id, &generation);
  if (!step_ends_) begin_step(now);
  return true;
}

void Replica::advance(TimePoint now) {
  while (step_ends_ && *step_ends_ <= now) {
    const TimePoint at = *step_ends_;
    for (const engine::TokenEvent& event : engine_.finish_step()) {
      const auto entry = generations_.find(event.id);
      assert(entry != generations_.end());
      Generation& generation = *entry->second;
      ++generation.tokens_;
      if (event.first) {
        generation.cached_ = event.cached_tokens;
        observer_.on_first_token(at - generation.arrived_);
      }
      if (event.finished) {
        generation.finished_ = true;
        generation.id_ = engine::SequenceId::none();
        generations_.erase(entry);
        observer_.on_finished(at - generation.arrived_);
      }
      generation.listener_.on_progress();
    }
    begin_step(at);
  }
}

void Replica::begin_step(TimePoint at) {
  const auto takes = engine_.begin_step();
  step_ends_ = takes ? std::optional(at + *takes) : std::nullopt;
}

}  // namespace turnpike::app
