#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "engine/kv_cache.h"

namespace turnpike::sim {

// Pieces of text with successive names.
struct PieceRun {
  std::uint64_t first = 0;
  std::uint32_t count = 0;
};

struct Turn {
  // Prompt tokens beyond the previous prompt and answer; the first: the whole prompt. Less than 0 where a trace's conversation
  // was cut short.
  TokenCount appended;
  TokenCount output;
  Duration gap{};  // pause before this turn, 0 for the first
  bool calls_tool =
      false;  // its answer ends in a tool call: the next turn brings the tool's result

  // Of traces only. What the prompt is made of, a name for each `Session::piece_tokens` from its beginning, and of the answer as
  // far as a later prompt tells.
  std::vector<PieceRun> pieces{};
  // Prompt tokens that requests before it in the trace had engines compute; none: as the generated ones, all but `appended`.
  std::optional<TokenCount> kept{};
  // Since the session's beginning: an open load asks no sooner, and without `gap`.
  std::optional<Duration> due{};
};

// A conversation: who has it, and its turns.
struct Session {
  // Another session that one of this one's turns starts, as an agent starts a sub-agent.
  struct Child {
    std::size_t after_turn = 0;  // it begins when this turn has been answered
    Duration delay{};            // and so long after that
    std::shared_ptr<const Session> session;
  };

  std::uint64_t index = 0;
  std::uint64_t text = 0;         // names its own text
  std::uint64_t shared_text = 0;  // names the text it shares with its kind
  TokenCount shared;              // length of that
  std::string_view tenant;        // must outlive the session, as the shape
  std::string_view shape;
  bool identified = true;  // its requests carry its id
  std::vector<Turn> turns;

  // Of traces only.
  TokenCount piece_tokens;     // a whole number of blocks
  std::uint64_t piece_salt{};  // pieces of the same name are the same text under the same salt
  std::vector<Child> children;

  // A session that this one starts: with its tenant, and text of its round of the trace. Its index is the caller's affair.
  [[nodiscard]] Session started(const Child& child) const;
  // Tokens of turn `turn`'s prompt if every answer has the length asked for.
  [[nodiscard]] TokenCount prompt_tokens(std::size_t turn) const;
  // Hashes of the whole blocks of the first `tokens` tokens of the conversation, appended to what `chain` already has of it.
  void extend_chain(std::vector<engine::BlockHash>& chain, TokenCount tokens) const;
  // `chain`, which is that of the turn before (none: empty), becomes that of turn `turn`'s prompt and answer.
  void chain_of_turn(std::size_t turn, std::vector<engine::BlockHash>& chain) const;
};

}  // namespace turnpike::sim
