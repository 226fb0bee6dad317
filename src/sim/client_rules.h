#pragma once

#include <cstdint>
#include <unordered_set>

#include "base/units.h"
#include "sim/result.h"
#include "sim/workload.h"

namespace turnpike::sim {

// How clients behave and how their turns are counted: the same for load over sockets and for simulated load.

// A refused first turn is tried again after Retry-After, so many times. Later turns are not: their session is killed.
inline constexpr int kRetries = 3;
constexpr bool may_retry(std::size_t turn, int tries) {
  return turn == 0 && tries < kRetries;
}

// What becomes of a session whose last turn came to this.
SessionEnd session_end(Outcome last_turn);

// The shared prefixes that some engine has computed.
using SharedTexts = std::unordered_set<std::uint64_t>;

// What a cache without bound would find of a session's prompts.
class Cacheable {
 public:
  // Of turn `turn`, which was answered: whole blocks, never the last token.
  TokenCount answered(const Session& session, std::size_t turn, TokenCount prompt,
                      TokenCount output, SharedTexts& seen);

 private:
  TokenCount known_;  // tokens of the conversation that an engine has computed
};

}  // namespace turnpike::sim
