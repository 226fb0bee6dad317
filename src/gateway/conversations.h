#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "openai/body.h"
#include "openai/conversation_index.h"
#include "openai/identity.h"

namespace turnpike::gateway {

class Conversations;

// A request's part in the conversation that its prompt was found to belong to. Ended exactly once, by end() or by whatever destroys
// it: then the prompt counts as never answered.
class [[nodiscard]] ConversationTurn {
 public:
  ConversationTurn() = default;
  ConversationTurn(Conversations& conversations, const openai::ConversationIndex::Turn& turn)
      : conversations_(&conversations), turn_(turn) {}
  ConversationTurn(ConversationTurn&& other) noexcept
      : conversations_(std::exchange(other.conversations_, nullptr)), turn_(other.turn_) {}
  ConversationTurn& operator=(ConversationTurn&& other) noexcept;
  ~ConversationTurn() { end(false, {}); }

  explicit operator bool() const { return conversations_ != nullptr; }
  [[nodiscard]] const openai::ConversationIndex::Turn& turn() const { return turn_; }
  // Does nothing if it is over. `answered`: the client has (some of) an answer, which began like `sign`.
  void end(bool answered, const openai::AnswerSign& sign);

 private:
  Conversations* conversations_ = nullptr;
  openai::ConversationIndex::Turn turn_;
};

// The conversations of clients that send no session's id, found by their prompts: one index for all workers, behind a mutex that is
// held for some microseconds a request. Any thread.
class Conversations {
 public:
  Conversations(const Clock& clock, const openai::ConversationLimits& limits, openai::HashSeed seed)
      : clock_(clock), seed_(seed), index_(limits, seed.value) {}

  // Nothing if its prompt is no conversation, or none more can be remembered.
  ConversationTurn begin(const openai::Tenant& tenant, const openai::BodyFacts& facts,
                         std::string_view body);

  struct Sample {
    std::size_t known = 0;
    openai::ConversationIndex::Counters counters;
  };
  [[nodiscard]] Sample sample() const;

 private:
  friend class ConversationTurn;
  void end(const openai::ConversationIndex::Turn& turn, bool answered,
           const openai::AnswerSign& sign);

  const Clock& clock_;
  const openai::HashSeed seed_;
  mutable std::mutex mutex_;
  openai::ConversationIndex index_;
};

}  // namespace turnpike::gateway
