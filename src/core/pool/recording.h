#pragma once

#include "core/journal/journal_writer.h"
#include "core/pool/state.h"

namespace turnpike::core {

// Writes the event E down, given as its members, if anybody records.
template <typename E, typename... Members>
void Pool::State::record(TimePoint now, const Members&... members) {
  if (recording.journal == nullptr) return;
  recording.journal->record<E>(recording.number, now, members...);
}

}  // namespace turnpike::core
