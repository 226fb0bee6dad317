#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "core/journal/event.h"

namespace turnpike::core {

// Reads what a JournalWriter wrote, one record at a time. Believes nothing: whatever the bytes are, every record that comes out is
// in range, memory is bounded by the input, and the first thing that is wrong ends the reading with an error that names its offset.
//
// A journal may come in several pieces (files), oldest first. Where a piece continues the one before, the stretch's beginning is
// passed over; where something is missing between them, a `journal::Began` says that what follows starts afresh.
class JournalReader {
 public:
  // `bytes` must outlive the reading.
  explicit JournalReader(std::string_view bytes);
  ~JournalReader();
  JournalReader(JournalReader&&) noexcept;
  JournalReader& operator=(JournalReader&&) noexcept;

  // The next record; nothing at the end of the bytes. After an error, the same error again.
  [[nodiscard]] Expected<std::optional<JournalRecord>> next();
  // The next piece. What was left of the one before is dropped, and an error forgotten.
  void continue_with(std::string_view bytes);
  // Of the next record in this piece; after an error, of what is wrong.
  [[nodiscard]] std::size_t offset() const;
  // The error is that the bytes end within a record, as when the writer died.
  [[nodiscard]] bool broken_off() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::core
