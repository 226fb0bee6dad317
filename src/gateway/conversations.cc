#include "gateway/conversations.h"

#include "base/hash_chain.h"

namespace turnpike::gateway {

ConversationTurn& ConversationTurn::operator=(ConversationTurn&& other) noexcept {
  if (this != &other) {
    end(false, {});
    conversations_ = std::exchange(other.conversations_, nullptr);
    turn_ = other.turn_;
  }
  return *this;
}

void ConversationTurn::end(bool answered, const openai::AnswerSign& sign) {
  if (Conversations* const conversations = std::exchange(conversations_, nullptr))
    conversations->end(turn_, answered, sign);
}

ConversationTurn Conversations::begin(const openai::Tenant& tenant, const openai::BodyFacts& facts,
                                      std::string_view body) {
  // Users of one API key are not one another, where the application says who they are.
  std::uint64_t scope = chain_hash(hash_bytes(facts.model, seed_.value), tenant.key.value());
  scope = chain_hash(scope, hash_bytes(facts.user, seed_.value));
  const TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  const auto turn = index_.begin(scope, facts.conversation, facts.blocks, body, now);
  return turn ? ConversationTurn(*this, *turn) : ConversationTurn();
}

void Conversations::end(const openai::ConversationIndex::Turn& turn, bool answered,
                        const openai::AnswerSign& sign) {
  const TimePoint now = clock_.now();
  const std::scoped_lock lock(mutex_);
  index_.end(turn, answered, sign, now);
}

Conversations::Sample Conversations::sample() const {
  const std::scoped_lock lock(mutex_);
  return {.known = index_.size(), .counters = index_.counters()};
}

}  // namespace turnpike::gateway
