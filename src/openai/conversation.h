#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace turnpike::openai {

// A place in a list of messages at which an earlier prompt of the same conversation may have ended: behind a message that is not
// the model's.
struct PromptMark {
  std::uint64_t exact = 0;    // chained hash of all messages up to here
  std::uint64_t said = 0;     // the same of what was said to the model: without its answers
  std::uint64_t message = 0;  // hash of the last of them alone
  std::uint64_t call = 0;  // hash of the id of the first tool call in the answer behind it; 0: none
  std::uint32_t answer_at =
      0;  // where in the body the text of that answer begins; nothing if its size is 0
  std::uint32_t answer_size = 0;
  bool answered = false;     // what follows is the model's
  bool has_history = false;  // something the model said stands before it
};

inline constexpr std::size_t kMaxMarks = 4096;  // the last ones are kept

// What a prompt tells of the conversation that it belongs to. Hashes only, and places in the body. Two prompts of one client agree in
// what they share whatever has become of the cache_control marks, of the model's reasoning, and of the arguments of its tool
// calls, and whether a text stands as a string or as a list of blocks.
struct Conversation {
  enum class Form : std::uint8_t {
    none,      // no conversation: embeddings, a batch, counting
    messages,  // chat, Anthropic messages, items of the Responses API
    text,      // a transcript that grows, or its token ids
  };
  Form form = Form::none;
  // Of messages.
  std::vector<PromptMark> marks;
  std::uint64_t instructions = 0;  // of system text outside the messages
  std::uint64_t tools = 0;
  std::uint64_t root = 0;  // of the messages up to the first one of a user
  bool offers_tools = false;
  // Of text: where it stands in the body, without its end. Its blocks are BodyFacts::blocks.
  std::size_t text_at = 0;
  std::size_t text_size = 0;
  bool token_ids = false;
};

}  // namespace turnpike::openai
