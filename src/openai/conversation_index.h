#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/session/slab.h"
#include "openai/answer_sign.h"
#include "openai/conversation.h"

namespace turnpike::openai {

struct ConversationLimits {
  std::size_t conversations = 100'000;    // remembered; beyond it the longest idle goes
  Duration idle = std::chrono::hours(1);  // forgotten after
};

// Which prompt ended where: recognises a request as the next turn of a conversation by its messages alone. A request continues a
// conversation if it contains that one's last prompt, whatever was answered; the longest such prompt wins. Where the model's earlier
// answers were written anew, what was said to it decides, if the latest answer agrees or nobody else said the same. Where older
// messages were left out or masked, the last message and the beginning of its answer decide.
//
// The same first prompt twice is two conversations (a hundred users say "hello"), unless the first was never answered (then it is
// tried again). While one of them runs, the same prompt is another attempt beside it (best of n), with a conversation of its own.
// Which of several equal prompts a next turn belongs to is told by how their answers began; if nothing tells, it starts anew.
//
// Bounded: see ConversationLimits; what has a request running is never forgotten, and if nothing else is left, no new conversation is
// remembered. Hashes and the first letters of an answer, never a prompt. No clock, no lock: one caller at a time.
class ConversationIndex {
 public:
  // `seed` makes the keys of the conversations.
  ConversationIndex(const ConversationLimits& limits, std::uint64_t seed);

  enum class How : std::uint8_t {
    started,    // nothing like it is known
    continued,  // the next turn
    repeated,   // the last prompt again
    branched,   // shares its beginning with a conversation, but not that one's last prompt
  };
  static constexpr std::size_t kHows = 4;

  struct Turn {
    SessionKey session;
    SessionKey parent;  // of a branch: whose place in a cache is likely to be good for it
    How how = How::started;
    bool doubtful = true;  // may never be continued
    // For end():
    std::uint32_t number = 0;
    std::uint64_t prompt = 0;
  };

  // A request begins. `scope` stands for all that must be equal beside the prompt: tenant, model. `blocks` and `body` as of BodyFacts. None:
  // it is no conversation, or there is no room.
  std::optional<Turn> begin(std::uint64_t scope, const Conversation& prompt,
                            std::span<const std::uint64_t> blocks, std::string_view body,
                            TimePoint now);
  // It has ended; exactly once for each begin(). `answered`: with an answer that its client has.
  void end(const Turn& turn, bool answered, const AnswerSign& sign, TimePoint now);

  [[nodiscard]] std::size_t size() const { return known_.size(); }
  struct Counters {
    std::array<std::uint64_t, kHows> turns{};
    std::uint64_t ambiguous = 0;  // of the branched: several could have been meant
    std::uint64_t forgotten = 0;  // for want of room
    std::uint64_t full = 0;       // not remembered, for want of room
  };
  [[nodiscard]] const Counters& counters() const { return counters_; }
  // For tests: what is wrong with its books, by recounting everything; empty if nothing is.
  [[nodiscard]] std::string broken_invariant() const;

 private:
  using Number = core::Slab<int>::Number;
  // By what a conversation is found: its last prompt, what was said in it, the last message, its beginning.
  enum Way : std::uint8_t { exact, said, tail, root };
  static constexpr std::size_t kWays = 4;

  struct Known {
    SessionKey session;
    SessionKey family;                        // the first of its parents, or itself
    std::array<std::uint64_t, kWays> keys{};  // 0: cannot be found this way
    std::array<Number, kWays> next{};         // older ones with the same key
    std::array<Number, kWays> previous{};
    AnswerSign sign;         // of the last answer
    std::uint64_t stem = 0;  // of a text: its whole blocks
    TimePoint used{};
    Number newer = 0;  // among the idle
    Number older = 0;
    std::uint32_t in_flight = 0;
    std::uint32_t turns = 0;
    std::uint16_t rest = 0;  // of a text: bytes behind the whole blocks
    bool answered = false;   // the last prompt
    bool offers_tools = false;
  };
  // The end of a prompt, and what is needed to find it again.
  struct End {
    std::array<std::uint64_t, kWays> keys{};
    std::uint64_t stem = 0;
    std::uint16_t rest = 0;
    bool has_history = false;
    bool offers_tools = false;
  };
  // What the search has come to.
  struct Match {
    Number number = 0;
    bool again = false;  // the very prompt
    Number beside = 0;   // the very prompt runs already
    bool ambiguous = false;
  };
  struct Shown {
    AnswerSign sign;
    bool answered = false;
    bool last = false;    // the prompt ends here
    bool enough = false;  // so long that nobody else has it by chance
    bool strict = false;  // nothing may speak against it
  };

  Match find_messages(std::uint64_t scope, const Conversation& prompt, std::string_view body);
  Match find_text(std::uint64_t scope, std::span<const std::uint64_t> blocks, std::string_view text,
                  bool token_ids);
  Match find_tail(std::uint64_t scope, const Conversation& prompt, std::string_view body) const;
  // Of those with this key, the one that is meant; changes `match` if there is one, or if several could be.
  bool choose(Way way, std::uint64_t key, const Shown& shown, Match& match) const;
  [[nodiscard]] Number parent_of(const End& end) const;
  Number make(TimePoint now);
  void move_to(Number number, const End& end);
  void put(Number number, Way way, std::uint64_t key);
  void remove(Number number, Way way);
  void forget(Number number);
  void wake(Number number);
  void rest(Number number);
  [[nodiscard]] bool is_doubtful(bool offers_tools) const;

  ConversationLimits limits_;
  std::uint64_t seed_;
  std::uint64_t made_ = 0;
  core::Slab<Known> known_;
  std::array<absl::flat_hash_map<std::uint64_t, Number>, kWays> newest_;  // by key
  // Of texts, by their whole blocks: how many end so many bytes behind these.
  absl::flat_hash_map<std::uint64_t, std::vector<std::pair<std::uint16_t, std::uint32_t>>> rests_;
  Number idle_newest_ = 0;
  Number idle_oldest_ = 0;
  // How many conversations began, and how many of them went on, with older ones counting less; with tools and without.
  std::array<double, 2> began_{};
  std::array<double, 2> went_on_{};
  Counters counters_;
};

std::string_view to_string(ConversationIndex::How how);

}  // namespace turnpike::openai
