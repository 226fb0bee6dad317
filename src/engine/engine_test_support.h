#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/hash_chain.h"
#include "engine/engine.h"

namespace turnpike::engine::testing_support {

// The chain of a conversation: `tokens` tokens of the text named `text`. Two chains share the blocks of a common prefix of
// (text, block) pairs only if they are made from the same text, so a longer chain extends a shorter one.
inline std::vector<BlockHash> chain_of(std::uint64_t text, std::int64_t tokens) {
  std::vector<BlockHash> chain;
  BlockHash hash = text;
  for (std::int64_t block = 0; block < tokens / kBlockTokens; ++block) {
    hash = chain_hash(hash, static_cast<std::uint64_t>(block));
    chain.push_back(hash);
  }
  return chain;
}

inline SequenceSpec sequence(std::uint64_t id, std::int64_t prompt, std::int64_t output,
                             std::uint64_t text) {
  return {.id = SequenceId(id),
          .prompt_tokens = TokenCount(prompt),
          .output_tokens = TokenCount(output),
          .chain = chain_of(text, prompt + output)};
}

// A machine whose step costs exactly 1 ms a token and nothing else: a step's time reads as its token count.
inline Profile token_counting_profile() {
  Profile profile;
  profile.name = "counting";
  profile.per_token_ms = 1;
  return profile;
}

inline EngineParams params(std::int64_t blocks, std::int64_t budget = 2048,
                           std::uint32_t seqs = 256) {
  return {.profile = token_counting_profile(),
          .kv_tokens = TokenCount(blocks * kBlockTokens),
          .max_num_seqs = seqs,
          .max_num_batched_tokens = budget};
}

// One step as text: tokens computed, then "id", "id!" for a first token, "id." for a last one.
inline std::string step(Engine& engine) {
  const auto took = engine.begin_step();
  if (!took) return "idle";
  std::string text = std::to_string(*took / std::chrono::milliseconds(1)) + ":";
  for (const TokenEvent& event : engine.finish_step()) {
    text += ' ' + std::to_string(event.id.value());
    if (event.first) text += '!';
    if (event.finished) text += '.';
  }
  return text;
}

inline std::vector<std::string> steps(Engine& engine, int most = 1000) {
  std::vector<std::string> all;
  while (!engine.idle() && most-- > 0) all.push_back(step(engine));
  return all;
}

}  // namespace turnpike::engine::testing_support
