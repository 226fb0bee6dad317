#pragma once

#include <cstdint>
#include <string_view>

#include <simdjson.h>

#include "openai/conversation.h"

namespace turnpike::openai {

// Reads the messages of a prompt as the body is parsed, and hashes what tells conversations apart. Knows the shapes of chat
// completions, of Anthropic's messages and of the items of the Responses API; fields it does not know are hashed if they hold text.
// Of one body.
class ConversationReader {
 public:
  explicit ConversationReader(std::string_view body) : body_(body) {}

  // Each consumes its value, which is an array or an object. False: the JSON is broken inside, or holds what no message is: the
  // parser must begin anew without this.
  bool messages(simdjson::ondemand::array& messages);
  bool instructions(simdjson::ondemand::value& value);
  // The same in one string; raw, with its quotes.
  void only_message(std::string_view raw);
  void only_instruction(std::string_view raw);
  // The raw value of a field that offers tools.
  void tools(std::string_view raw);

  // At the end. Leaves the marks behind what was kept of them.
  [[nodiscard]] Conversation take();

 private:
  enum class Role : std::uint8_t { system, user, tool, model };
  // What a message or one block of it consists of.
  struct Content;

  bool message(simdjson::ondemand::object& object, Content& content);
  bool parts(simdjson::ondemand::value& value, Content& content, int depth);
  bool block(simdjson::ondemand::object& object, Content& content, int depth);
  void add(const Content& content);
  void mark(PromptMark mark);

  std::string_view body_;
  Conversation found_;
  std::uint64_t exact_ = 0;
  std::uint64_t said_ = 0;
  bool has_history_ = false;
  bool saw_user_ = false;
};

}  // namespace turnpike::openai
