#include "openai/conversation_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/hash_chain.h"

namespace turnpike::openai {

namespace {

namespace od = simdjson::ondemand;

// Deeper blocks are passed over: no client nests them.
constexpr int kMaxDepth = 12;
// A line that some clients put before their system text and change with every request.
constexpr std::string_view kBillingLine = "x-anthropic-billing-header:";

std::string_view trim_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last + 1);
}

// The key as it stands in the body: no client escapes the keys that are read here.
std::string_view key_of(od::field& field) {
  const char* const raw = field.key().raw();
  std::size_t length = 0;
  while (raw[length] != '"' && raw[length] != '\\') ++length;
  return {raw, length};
}

// The raw bytes between the quotes; empty for what is no string. A string is consumed: the parser, passing over one itself, would
// take it for a key if a colon followed, and a broken message for a whole one. False for what is no value at all.
bool string_in(od::value& value, std::string_view& raw) {
  const std::string_view token = trim_end(value.raw_json_token());
  raw = {};
  if (token.empty()) return false;
  if (token.front() != '"')
    return token.front() != ':' && token.front() != ',' && token.front() != '}' &&
           token.front() != ']';
  od::raw_json_string taken;
  if (token.size() < 2 || value.get_raw_json_string().get(taken)) return false;
  raw = token.substr(1, token.size() - 2);
  return true;
}

// What a field of a message or block is to the conversation.
enum class Part : std::uint8_t {
  text,     // any field with text in it, however deep
  role,     // of a message
  type,     // of a block or item
  content,  // the same as text, of a message
  id,       // joins a call and its result
  own_id,   // of a tool call as OpenAI and Anthropic write it, of a message elsewhere
  name,
  calls,      // what the model calls
  arguments,  // of a call: clients write them anew
  ignored,
};

struct Known {
  std::string_view name;
  Part part;
};
constexpr auto kParts = std::to_array<Known>({
    {"text", Part::text},
    {"type", Part::type},
    {"role", Part::role},
    {"content", Part::content},
    {"id", Part::own_id},
    {"call_id", Part::id},
    {"tool_call_id", Part::id},
    {"tool_use_id", Part::id},
    {"name", Part::name},
    {"tool_calls", Part::calls},
    {"function_call", Part::calls},
    {"arguments", Part::arguments},
    {"input", Part::arguments},
    {"cache_control", Part::ignored},
    {"reasoning_content", Part::ignored},
    {"reasoning", Part::ignored},
    {"reasoning_details", Part::ignored},
    {"thinking", Part::ignored},
    {"thinking_blocks", Part::ignored},
    {"signature", Part::ignored},
    {"encrypted_content", Part::ignored},
    {"annotations", Part::ignored},
    {"citations", Part::ignored},
    {"logprobs", Part::ignored},
    {"status", Part::ignored},
    {"phase", Part::ignored},
    {"index", Part::ignored},
    {"detail", Part::ignored},
    {"media_type", Part::ignored},
    {"provider_specific_fields", Part::ignored},
    {"audio", Part::ignored},
    {"refusal", Part::ignored},
});

Part part_of(std::string_view name) {
  for (const Known& known : kParts) {
    if (known.name == name) return known.part;
  }
  return Part::text;
}

bool holds_parts(Part part) {
  return part == Part::text || part == Part::content || part == Part::calls;
}

bool is_reasoning(std::string_view type) {
  return type == "thinking" || type == "redacted_thinking" || type == "reasoning";
}

bool is_model_item(std::string_view type) {
  return type.ends_with("_call") || type == "item_reference" || type == "compaction" ||
         type == "mcp_list_tools";
}

bool is_result_item(std::string_view type) {
  return type.ends_with("_output") || type.ends_with("_response");
}

}  // namespace

struct ConversationReader::Content {
  Role role = Role::user;
  std::uint64_t hash = 0;  // of texts, names and ids in their order
  std::uint64_t call = 0;
  std::string_view text;  // the first that is not empty
  bool reasoning = false;
  bool nothing = true;

  void take(std::string_view raw, std::uint64_t kind) {
    if (raw.empty()) return;
    hash = chain_hash(hash, hash_bytes(raw, kind));
    nothing = false;
  }
  void take_text(std::string_view raw) {
    if (raw.starts_with(kBillingLine)) return;
    if (text.empty()) text = raw;
    take(raw, 1);
  }
};

// A string, or a list of blocks, or a block.
bool ConversationReader::parts(od::value& value, Content& content, int depth) {
  od::json_type type{};
  if (value.type().get(type)) return false;
  if (type == od::json_type::string) {
    std::string_view text;
    if (!string_in(value, text)) return false;
    content.take_text(text);
    return true;
  }
  if (depth >= kMaxDepth) return true;
  if (type == od::json_type::object) {
    od::object object;
    return value.get_object().get(object) == simdjson::SUCCESS && block(object, content, depth + 1);
  }
  if (type != od::json_type::array) return true;
  od::array array;
  if (value.get_array().get(array)) return false;
  for (auto element : array) {
    od::value inner;
    if (std::move(element).get(inner) || !parts(inner, content, depth + 1)) return false;
  }
  return true;
}

bool ConversationReader::block(od::object& object, Content& content, int depth) {
  Content own = content;
  std::string_view id;
  bool is_call = false;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) return false;
    od::value value = field.value();
    const Part part = part_of(key_of(field));
    std::string_view text;
    if (holds_parts(part) ? !parts(value, own, depth) : !string_in(value, text)) return false;
    switch (part) {
      case Part::type:
        own.reasoning = is_reasoning(text);
        is_call = text == "tool_use" || text == "function" || text == "server_tool_use";
        break;
      case Part::own_id:
        id = text;
        break;
      case Part::id:
        own.take(text, 2);
        break;
      case Part::name:
        own.take(text, 3);
        break;
      default:
        break;
    }
  }
  if (own.reasoning) return true;
  if (is_call && !id.empty()) {
    if (own.call == 0) own.call = hash_bytes(id);
    own.take(id, 2);
  }
  content = own;
  return true;
}

bool ConversationReader::message(od::object& object, Content& content) {
  std::string_view role;
  std::string_view type;
  std::uint64_t own_id = 0;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) return false;
    od::value value = field.value();
    const Part part = part_of(key_of(field));
    std::string_view text;
    if (holds_parts(part) ? !parts(value, content, 0) : !string_in(value, text)) return false;
    switch (part) {
      case Part::role:
        role = text;
        break;
      case Part::type:
        type = text;
        break;
      case Part::id:
        own_id = hash_bytes(text);
        content.take(text, 2);
        break;
      case Part::name:
        content.take(text, 3);
        break;
      default:  // engines give items of the Responses API ids of their own
        break;
    }
  }
  if (role.empty()) {
    content.role = is_model_item(type) || is_reasoning(type) ? Role::model
                   : is_result_item(type)                    ? Role::tool
                                                             : Role::user;
    if (content.role == Role::model && content.call == 0) content.call = own_id;
  } else if (role == "assistant" || role == "model") {
    content.role = Role::model;
  } else if (role == "system" || role == "developer") {
    content.role = Role::system;
  } else if (role == "tool" || role == "function") {
    content.role = Role::tool;
  }
  content.reasoning = content.reasoning || is_reasoning(type);
  return true;
}

void ConversationReader::add(const Content& content) {
  if (content.role == Role::model) {
    has_history_ = true;
    if (!found_.marks.empty()) {
      PromptMark& before = found_.marks.back();
      before.answered = true;
      if (before.call == 0) before.call = content.call;
      const bool is_text = !content.text.empty() && !content.reasoning;
      const auto at = static_cast<std::size_t>(content.text.data() - body_.data());
      if (before.answer_size == 0 && is_text && at <= std::numeric_limits<std::uint32_t>::max()) {
        before.answer_at = static_cast<std::uint32_t>(at);
        before.answer_size = static_cast<std::uint32_t>(
            std::min<std::size_t>(content.text.size(), std::numeric_limits<std::uint32_t>::max()));
      }
    }
    if (!content.reasoning && !content.nothing)
      exact_ = chain_hash(exact_, chain_hash(content.hash, 1));
    return;
  }
  const auto role = static_cast<std::uint64_t>(content.role) + 2;
  exact_ = chain_hash(exact_, chain_hash(content.hash, role));
  said_ = chain_hash(said_, chain_hash(content.hash, role));
  if (content.role == Role::user && !std::exchange(saw_user_, true)) found_.root = said_;
  // What only instructs is no prompt yet.
  if (content.role == Role::system && !saw_user_) return;
  mark({.exact = exact_,
        .said = said_,
        .message = chain_hash(content.hash, role),
        .has_history = has_history_});
}

void ConversationReader::mark(PromptMark mark) {
  if (found_.marks.size() >= 2 * kMaxMarks)
    found_.marks.erase(found_.marks.begin(), found_.marks.begin() + kMaxMarks);
  found_.marks.push_back(mark);
}

bool ConversationReader::messages(od::array& messages) {
  for (auto element : messages) {
    od::value value;
    if (std::move(element).get(value)) return false;
    od::json_type type{};
    if (value.type().get(type)) return false;
    od::object object;
    Content content;
    if (type != od::json_type::object || value.get_object().get(object) ||
        !message(object, content))
      return false;
    add(content);
  }
  return true;
}

bool ConversationReader::instructions(od::value& value) {
  Content content;
  if (!parts(value, content, 0)) return false;
  found_.instructions += chain_hash(content.hash, 1);
  return true;
}

void ConversationReader::only_instruction(std::string_view raw) {
  Content content;
  content.take_text(raw.substr(1, raw.size() - 2));
  found_.instructions += chain_hash(content.hash, 1);
}

void ConversationReader::only_message(std::string_view raw) {
  Content content;
  content.take_text(raw.substr(1, raw.size() - 2));
  add(content);
}

void ConversationReader::tools(std::string_view raw) {
  if (raw.empty() || raw == "[]" || raw == "null") return;
  found_.tools += hash_bytes(raw);
  found_.offers_tools = true;
}

Conversation ConversationReader::take() {
  if (!found_.marks.empty()) found_.form = Conversation::Form::messages;
  return std::move(found_);
}

}  // namespace turnpike::openai
