#include "sim/session.h"

#include "base/hash_chain.h"

namespace turnpike::sim {

Session Session::started(const Child& child) const {
  Session session = *child.session;
  session.tenant = tenant;
  session.identified = identified;
  session.text = chain_hash(session.text, text);
  session.piece_salt = piece_salt;
  return session;
}

TokenCount Session::prompt_tokens(std::size_t turn) const {
  TokenCount total;
  for (std::size_t i = 0; i <= turn; ++i) {
    total += turns[i].appended;
    if (i < turn) total += turns[i].output;
  }
  return total;
}

void Session::extend_chain(std::vector<engine::BlockHash>& chain, TokenCount upto) const {
  const auto blocks = static_cast<std::size_t>(upto.value() / engine::kBlockTokens);
  const auto common = static_cast<std::size_t>(shared.value() / engine::kBlockTokens);
  engine::BlockHash before = chain.empty() ? 0 : chain.back();
  for (std::size_t i = chain.size(); i < blocks; ++i) {
    before = chain_hash(before, i < common ? shared_text : text);
    chain.push_back(before);
  }
}

void Session::chain_of_turn(std::size_t turn, std::vector<engine::BlockHash>& chain) const {
  const TokenCount end = prompt_tokens(turn) + turns[turn].output;
  if (turns[turn].pieces.empty()) {
    extend_chain(chain, end);
    return;
  }
  const auto blocks = static_cast<std::size_t>(end.value() / engine::kBlockTokens);
  const std::int64_t each = piece_tokens.value() / engine::kBlockTokens;
  chain.clear();
  chain.reserve(blocks);
  engine::BlockHash before = piece_salt;
  for (const PieceRun& run : turns[turn].pieces) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      for (std::int64_t block = 0; block < each && chain.size() < blocks; ++block) {
        before = chain_hash(before, run.first + i);
        chain.push_back(before);
      }
    }
  }
  const std::uint64_t own = chain_hash(text, turn);  // what no piece names
  while (chain.size() < blocks) {
    before = chain_hash(before, own);
    chain.push_back(before);
  }
}

}  // namespace turnpike::sim
