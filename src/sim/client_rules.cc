#include "sim/client_rules.h"

#include <algorithm>

#include "engine/kv_cache.h"

namespace turnpike::sim {

SessionEnd session_end(Outcome last_turn) {
  switch (last_turn) {
    case Outcome::finished:
      return SessionEnd::finished;
    case Outcome::unfinished:
      return SessionEnd::unfinished;
    default:
      return SessionEnd::killed;
  }
}

TokenCount Cacheable::answered(const Session& session, std::size_t turn, TokenCount prompt,
                               TokenCount output, SharedTexts& seen) {
  const bool shared_known = !seen.insert(session.shared_text).second;
  if (turn == 0 && shared_known) known_ = session.shared;
  if (session.turns.size() > turn && session.turns[turn].kept) known_ = *session.turns[turn].kept;
  const std::int64_t findable = std::min(known_.value(), prompt.value() - 1);
  known_ = prompt + output - TokenCount(1);  // the last token of an answer is never computed
  return TokenCount(std::max<std::int64_t>(0, findable) / engine::kBlockTokens *
                    engine::kBlockTokens);
}

}  // namespace turnpike::sim
