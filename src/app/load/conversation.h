#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/units.h"
#include "sim/workload.h"

namespace turnpike::app {

// One session as its client writes it down: the messages so far, and the body of the next request. Texts are ASCII, 4 bytes a
// token, deterministic, and made so that the stand-in engine counts exactly the tokens of the workload: a message is one
// token more than its text, and so is the opening of the answer.
//
// A recording that names the pieces of its prompts is played by these names: each prompt is one message, with the same text where the
// recording has the same pieces, in whatever session. What the engine answers is not in it: the recording has answers of its own.
// One thread.
class Conversation {
 public:
  Conversation(const sim::Session& session, std::string_view model);

  // Adds the user's message of turn `turn`; turns come in order.
  void ask(std::size_t turn);
  // The request for the turn asked last.
  [[nodiscard]] std::string request_body(std::size_t turn) const;
  // Adds the answer; `raw_text` is the inside of a JSON string.
  void answered(std::string_view raw_text);

 private:
  void open_message(std::string_view role);
  void write_pieces(std::size_t turn);

  const sim::Session& session_;
  std::string head_;
  std::string messages_;
};

// `tokens` x 4 ASCII bytes that need no escaping; different for different seeds.
std::string filler(std::uint64_t seed, TokenCount tokens);

}  // namespace turnpike::app
