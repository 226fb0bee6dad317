#include <cstdint>
#include <cstdlib>

#include "sim/trace_reader.h"

// Whatever a trace says, it is read or refused; and what was read can be made into block hashes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using turnpike::sim::TraceFormat;
  if (size == 0) return 0;
  const auto format = static_cast<TraceFormat>(bytes[0] % 5);
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  const auto trace = turnpike::sim::read_trace(text, format);
  if (!trace) {
    if (trace.error().message.empty()) std::abort();
    return 0;
  }
  const turnpike::sim::Session session = trace->session(1, trace->sessions.size(), true);
  for (std::size_t turn = 0; turn < session.turns.size() && turn < 3; ++turn) {
    const turnpike::TokenCount tokens = session.prompt_tokens(turn);
    if (tokens < turnpike::TokenCount(1)) std::abort();
    if (tokens > turnpike::TokenCount(100'000)) break;
    std::vector<turnpike::engine::BlockHash> chain;
    session.chain_of_turn(turn, chain);
  }
  return 0;
}
