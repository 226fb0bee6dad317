#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "sim/trace.h"

namespace turnpike::sim {

struct JournalTrace {
  Trace trace;
  std::uint64_t left_out =
      0;  // requests that were not answered to their end, so that nobody knows how long they were
};

// The answered requests of a gateway's journal, as sessions: what it knew of prompts and the engines told of tokens, nothing of
// which was text. `pieces` are the contents of its files, oldest first. Prompts are made of the journal's fingerprints, whose blocks
// are so many bytes, not tokens: all are taken for as many tokens as is true in the mean.
Expected<JournalTrace> journal_trace(const std::vector<std::string_view>& pieces);

}  // namespace turnpike::sim
