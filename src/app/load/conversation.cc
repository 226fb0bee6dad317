#include "app/load/conversation.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/hash_chain.h"
#include "base/random.h"

namespace turnpike::app {
namespace {

// What a message costs beside its text, and what opens the answer.
constexpr TokenCount kMessage(1);
constexpr TokenCount kOpening(1);

}  // namespace

std::string filler(std::uint64_t seed, TokenCount tokens) {
  std::string text(static_cast<std::size_t>(std::max<std::int64_t>(0, tokens.value())) * 4, ' ');
  Random random(seed);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 8 == 0) {
      bits = random.next();
    } else {  // the first of eight stays a blank
      text[i] = static_cast<char>('a' + (bits >> (8 * (i % 8))) % 26);
    }
  }
  return text;
}

Conversation::Conversation(const sim::Session& session, std::string_view model)
    : session_(session),
      head_(fmt::format(
          R"({{"model":{},"user":"{}","stream":true,"stream_options":{{"include_usage":true}},"ignore_eos":true,)",
          nlohmann::json(model).dump(), session.tenant)) {
  if (session.shared > kMessage) {
    open_message("system");
    messages_ += filler(session.shared_text, session.shared - kMessage);
    messages_ += "\"}";
  }
}

void Conversation::open_message(std::string_view role) {
  if (!messages_.empty()) messages_ += ',';
  messages_ += R"({"role":")";
  messages_ += role;
  messages_ += R"(","content":")";
}

void Conversation::ask(std::size_t turn) {
  if (!session_.turns[turn].pieces.empty()) {
    write_pieces(turn);
    return;
  }
  TokenCount text = session_.turns[turn].appended - kMessage - kOpening;
  if (turn == 0 && session_.shared > kMessage) text -= session_.shared;
  open_message("user");
  messages_ += filler(chain_hash(session_.text, turn), std::max(text, TokenCount(1)));
  messages_ += "\"}";
}

void Conversation::write_pieces(std::size_t turn) {
  const TokenCount prompt = session_.prompt_tokens(turn) - kMessage - kOpening;
  messages_.clear();
  open_message("user");
  TokenCount left = std::max(prompt, TokenCount(1));
  for (const sim::PieceRun& run : session_.turns[turn].pieces) {
    for (std::uint32_t i = 0; i < run.count && left > TokenCount(0); ++i) {
      const TokenCount length = std::min(session_.piece_tokens, left);
      messages_ += filler(chain_hash(session_.piece_salt, run.first + i), length);
      left -= length;
    }
  }
  messages_ += filler(chain_hash(session_.text, turn), left);  // what no piece names
  messages_ += "\"}";
}

std::string Conversation::request_body(std::size_t turn) const {
  const std::int64_t output = session_.turns[turn].output.value();
  return fmt::format(R"({}"max_tokens":{},"messages":[{}]}})", head_, output, messages_);
}

void Conversation::answered(std::string_view raw_text) {
  if (session_.piece_tokens > TokenCount(0)) return;
  open_message("assistant");
  messages_ += raw_text;
  messages_ += "\"}";
}

}  // namespace turnpike::app
