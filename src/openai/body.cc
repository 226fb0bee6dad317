#include "openai/body.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <simdjson.h>

#include "base/ascii.h"
#include "base/byte_buffer.h"
#include "base/hash_chain.h"
#include "openai/anthropic_user_id.h"
#include "openai/body_keys.h"
#include "openai/conversation_reader.h"
#include "openai/prompt_size.h"

namespace turnpike::openai {

namespace {

namespace od = simdjson::ondemand;

static_assert(ByteBuffer::kPadding >= simdjson::SIMDJSON_PADDING);

constexpr std::size_t kKeepParser = std::size_t{1024} * 1024;

std::string_view trim_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last + 1);
}

// Nothing may stand behind the object.
bool at_end(od::document& document) {
  const char* location = nullptr;
  return document.current_location().get(location) != simdjson::SUCCESS;
}

BodyError not_json(simdjson::error_code error) {
  if (error == simdjson::UTF8_ERROR) return {"The body is not valid UTF-8.", {}};
  if (error == simdjson::EMPTY) return {"The body is empty; a JSON object was expected.", {}};
  return {"The body is not valid JSON.", {}};
}

BodyError wrong_type(std::string_view field, std::string_view expected) {
  return {"'" + std::string(field) + "' must be " + std::string(expected) + ".",
          std::string(field)};
}

// One scan. Every step returns false after it has set `error`.
struct Scan {
  Route route;
  std::string_view body;
  bool conversations;                      // read messages
  const std::vector<std::string>& fields;  // to be read, too
  ConversationReader reader{body};
  bool broken_inside = false;  // a message was no JSON: they must be passed over
  BodyFacts facts = {};
  BodyError error = {};
  std::string_view growing;      // the raw value that turns extend
  std::uint64_t fixed_hash = 0;  // of everything else that the model is to read
  bool has_model = false;
  bool has_user = false;
  std::optional<Splice> usage_edit = {};  // from a stream_options that is there
  bool saw_stream_options = false;
  std::size_t object_at = 0;

  bool refuse(BodyError with) {
    error = std::move(with);
    return false;
  }
  bool refuse(simdjson::error_code code) { return refuse(not_json(code)); }

  // The raw bytes of a value, consumed.
  bool raw_of(od::value& value, std::string_view& raw) {
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    simdjson::error_code code = simdjson::SUCCESS;
    if (type == od::json_type::array) {
      od::array array;
      code = value.get_array().get(array);
      if (code == simdjson::SUCCESS) code = array.raw_json().get(raw);
    } else if (type == od::json_type::object) {
      od::object object;
      code = value.get_object().get(object);
      if (code == simdjson::SUCCESS) code = object.raw_json().get(raw);
    } else {
      raw = value.raw_json_token();
    }
    if (code != simdjson::SUCCESS) return refuse(code);
    raw = trim_end(raw);
    return true;
  }

  // A string, or `false` in `is_string` for any other type.
  bool string_of(od::value& value, std::string& into, bool& is_string) {
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    is_string = type == od::json_type::string;
    if (!is_string) return true;
    std::string_view text;
    if (const auto code = value.get_string().get(text)) return refuse(code);
    into.assign(text);
    return true;
  }

  bool read_model(od::value& value) {
    const std::string_view raw = trim_end(value.raw_json_token());
    facts.model_at = static_cast<std::size_t>(raw.data() - body.data());
    facts.model_size = raw.size();
    bool is_string = false;
    if (!string_of(value, facts.model, is_string)) return false;
    if (!is_string || facts.model.empty()) return refuse(wrong_type("model", "a non-empty string"));
    has_model = true;
    return true;
  }

  bool read_bool(od::value& value, std::string_view name, bool& into) {
    const std::string_view raw = trim_end(value.raw_json_token());
    into = raw == "true";
    return into || raw == "false" || raw == "null" || refuse(wrong_type(name, "a boolean"));
  }

  bool read_stream_options(od::value& value) {
    saw_stream_options = true;
    const std::string_view token = value.raw_json_token();
    const auto at = static_cast<std::size_t>(token.data() - body.data());
    if (trim_end(token) == "null") {
      usage_edit = Splice{at, 4, R"({"include_usage":true})"};
      return true;
    }
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    if (type != od::json_type::object) return refuse(wrong_type("stream_options", "an object"));
    od::object object;
    if (const auto code = value.get_object().get(object)) return refuse(code);
    bool empty = true;
    bool found = false;
    for (auto entry : object) {
      od::field field;
      if (const auto code = std::move(entry).get(field)) return refuse(code);
      empty = false;
      std::string_view name;
      if (const auto code = field.unescaped_key().get(name)) return refuse(code);
      if (name != "include_usage") continue;
      if (found)
        return refuse(BodyError{"'stream_options.include_usage' is given twice.",
                                "stream_options.include_usage"});
      found = true;
      od::value flag = field.value();
      const std::string_view raw = trim_end(flag.raw_json_token());
      if (!read_bool(flag, "stream_options.include_usage", facts.include_usage)) return false;
      if (!facts.include_usage) {
        usage_edit = Splice{static_cast<std::size_t>(raw.data() - body.data()), raw.size(), "true"};
      }
    }
    if (!found)
      usage_edit =
          Splice{at + 1, 0, empty ? R"("include_usage":true)" : R"("include_usage":true,)"};
    return true;
  }

  bool read_metadata(od::value& value) {
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    if (type != od::json_type::object) return true;
    od::object object;
    if (const auto code = value.get_object().get(object)) return refuse(code);
    for (auto entry : object) {
      od::field field;
      if (const auto code = std::move(entry).get(field)) return refuse(code);
      std::string_view name;
      if (const auto code = field.unescaped_key().get(name)) return refuse(code);
      od::value inner = field.value();
      if (!fields.empty()) read_named("metadata", name, inner);
      if (name == "session_id" && !read_session(inner, BodySession::metadata_session_id))
        return false;
      if (name == "user_id" && !read_user_id(inner)) return false;
    }
    return true;
  }

  // Clients of Anthropic's API put a session in here, as JSON or behind "_session_"; else it is only somebody.
  bool read_user_id(od::value& value) {
    std::string text;
    bool is_string = false;
    if (!string_of(value, text, is_string)) return false;
    if (!is_string || text.empty()) return true;
    const std::string session = session_in_user_id(text);
    if (session.empty()) {
      if (route == Route::messages && facts.user.empty()) facts.user = std::move(text);
    } else if (facts.session_field == BodySession::none ||
               BodySession::metadata_user_id < facts.session_field) {
      facts.session = session;
      facts.session_field = BodySession::metadata_user_id;
    }
    return true;
  }

  // Keeps a string that was asked for; consumes nothing.
  void read_named(std::string_view outer, std::string_view name, od::value& value) {
    for (const std::string& wanted : fields) {
      const bool is_it = outer.empty() ? wanted == name
                                       : wanted.size() == outer.size() + 1 + name.size() &&
                                             wanted.starts_with(outer) &&
                                             wanted[outer.size()] == '.' && wanted.ends_with(name);
      if (!is_it) continue;
      const std::string_view raw = trim_end(value.raw_json_token());
      if (raw.size() > 2 && raw.front() == '"' && raw.find('\\') == std::string_view::npos)
        facts.fields.push_back({wanted, std::string(raw.substr(1, raw.size() - 2))});
    }
  }

  // A field of which only strings within it are wanted.
  bool read_outer(std::string_view name, od::value& value) {
    read_named({}, name, value);
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    if (type != od::json_type::object) return true;
    const bool wanted = std::ranges::any_of(fields, [name](const std::string& field) {
      return field.size() > name.size() && field.starts_with(name) && field[name.size()] == '.';
    });
    od::object object;
    if (!wanted) return true;
    if (const auto code = value.get_object().get(object)) return refuse(code);
    for (auto entry : object) {
      od::field field;
      if (const auto code = std::move(entry).get(field)) return refuse(code);
      std::string_view inner;
      if (!key_of(field, inner)) return false;
      od::value inside = field.value();
      read_named(name, inner, inside);
    }
    return true;
  }

  bool read_session(od::value value, BodySession field) {
    std::string text;
    bool is_string = false;
    if (!string_of(value, text, is_string)) return false;
    const bool first = facts.session_field == BodySession::none || field < facts.session_field;
    if (is_string && !text.empty() && first) {
      facts.session = std::move(text);
      facts.session_field = field;
    }
    return true;
  }

  bool read_previous(od::value& value) {
    bool is_string = false;
    return string_of(value, facts.previous_response, is_string);
  }

  // An id, or an object with one.
  bool read_kept_conversation(od::value& value) {
    bool is_string = false;
    if (!string_of(value, facts.kept_conversation, is_string)) return false;
    od::object object;
    if (!is_string && !value.get_object().get(object)) {
      for (auto entry : object) {
        od::field field;
        if (const auto code = std::move(entry).get(field)) return refuse(code);
        std::string_view name;
        if (!key_of(field, name)) return false;
        od::value inner = field.value();
        if (name == "id" && !string_of(inner, facts.kept_conversation, is_string)) return false;
      }
    }
    if (!facts.kept_conversation.empty()) {
      facts.session = facts.kept_conversation;
      facts.session_field = BodySession::conversation;
    }
    return true;
  }

  bool read_user(od::value& value, bool wins) {
    std::string text;
    bool is_string = false;
    if (!string_of(value, text, is_string)) return false;
    if (is_string && !text.empty() && (wins || !has_user)) facts.user = std::move(text);
    has_user = has_user || wins;
    return true;
  }

  [[nodiscard]] bool holds_messages(std::string_view field) const {
    switch (route) {
      case Route::chat_completions:
      case Route::messages:
        return field == "messages";
      case Route::responses:
        return field == "input";
      default:
        return false;
    }
  }

  // As raw_of(), of a field that tells what the conversation is.
  bool read_conversation(od::value& value, std::string_view field, std::string_view& raw) {
    const bool instructs = field == "system" || field == "instructions";
    const bool offers = field == "tools" || field == "functions";
    const bool speaks = holds_messages(field);
    if (!conversations || route > Route::messages || !(instructs || offers || speaks))
      return raw_of(value, raw);
    od::json_type type{};
    if (const auto code = value.type().get(type)) return refuse(code);
    const bool nested = type == od::json_type::array || type == od::json_type::object;
    if (offers || !nested || (speaks && type == od::json_type::object)) {
      if (!raw_of(value, raw)) return false;
      if (offers) {
        reader.tools(raw);
      } else if (type == od::json_type::string) {
        speaks ? reader.only_message(raw) : reader.only_instruction(raw);
      }
      return true;
    }
    const char* const begin = value.raw_json_token().data();
    if (instructs) {
      broken_inside = !reader.instructions(value);
    } else {
      od::array array;
      broken_inside = value.get_array().get(array) || !reader.messages(array);
    }
    const char* end = nullptr;
    broken_inside = broken_inside || value.current_location().get(end);
    if (broken_inside) return false;
    raw = trim_end({begin, static_cast<std::size_t>(end - begin)});
    return true;
  }

  bool read_prompt(od::value& value, std::size_t key) {
    std::string_view raw;
    if (!read_conversation(value, kBodyKeys[key].name, raw)) return false;
    if (raw.empty() || raw == "null") return true;
    // The order of the fields must not matter, so each is hashed under its own seed and the sum taken.
    const std::uint64_t hash = hash_prompt(raw, key + 1);
    facts.prompt_hash += hash;
    if (grows(kBodyKeys[key].name)) {
      growing = raw;
    } else {
      fixed_hash += hash;
    }
    const std::uint64_t ids = raw.front() == '[' ? count_token_ids(raw) : 0;
    if (ids != 0) {
      facts.prompt.token_ids += ids;
      return true;
    }
    const PromptSize size = measure_text(raw);
    facts.prompt.text_bytes += size.text_bytes;
    facts.prompt.media += size.media;
    return true;
  }

  bool read_field(od::field& field, std::size_t key) {
    od::value value = field.value();
    if (!fields.empty()) read_named({}, kBodyKeys[key].name, value);
    switch (kBodyKeys[key].key) {
      case BodyKey::model:
        return read_model(value);
      case BodyKey::stream:
        return read_bool(value, "stream", facts.stream);
      case BodyKey::stream_options:
        return !has_stream_options(route) || read_stream_options(value);
      case BodyKey::user:
        return read_user(value, true);
      case BodyKey::safety_identifier:
        return read_user(value, false);
      case BodyKey::metadata:
        return read_metadata(value);
      case BodyKey::session_id:
        return read_session(value, BodySession::session_id);
      case BodyKey::conversation_id:
        return read_session(value, BodySession::conversation_id);
      case BodyKey::prompt_cache_key:
        return read_session(value, BodySession::prompt_cache_key);
      case BodyKey::previous_response_id:
        return route != Route::responses || read_previous(value);
      case BodyKey::conversation:
        return route != Route::responses || read_kept_conversation(value);
      case BodyKey::prompt:
        return read_prompt(value, key);
      case BodyKey::none:
        break;
    }
    return true;
  }

  // The key as it is compared: unescaped only where it holds an escape, which nearly none does.
  bool key_of(od::field& field, std::string_view& name) {
    const char* const raw = field.key().raw();
    std::size_t length = 0;
    while (raw[length] != '"' && raw[length] != '\\') ++length;
    if (raw[length] == '"') {
      name = {raw, length};
      return true;
    }
    const auto code = field.unescaped_key().get(name);
    return code == simdjson::SUCCESS || refuse(code);
  }

  bool read_document(od::document& document) {
    od::json_type type{};
    if (const auto code = document.type().get(type)) return refuse(code);
    if (type != od::json_type::object)
      return refuse(BodyError{"The body must be a JSON object.", {}});
    od::object object;
    if (const auto code = document.get_object().get(object)) return refuse(code);
    object_at = body.find('{');
    std::array<bool, kBodyKeys.size()> seen{};
    for (auto entry : object) {
      od::field field;
      if (const auto code = std::move(entry).get(field)) return refuse(code);
      std::string_view name;
      if (!key_of(field, name)) return false;
      const std::size_t key = find_key(name);
      if (key == kBodyKeys.size()) {
        od::value value = field.value();
        if (!fields.empty() && !read_outer(name, value)) return false;
        continue;
      }
      if (seen[key]) {
        const std::string_view twice = kBodyKeys[key].name;
        return refuse(
            BodyError{"'" + std::string(twice) + "' is given twice.", std::string(twice)});
      }
      seen[key] = true;
      if (!read_field(field, key)) return false;
    }
    return at_end(document) ||
           refuse(BodyError{"The body goes on after the end of its JSON object.", {}});
  }

  void conclude_conversation() {
    if (route != Route::completions) {
      facts.conversation = reader.take();
      return;
    }
    // One text, or the ids of one; a list of texts or of lists is a batch.
    const std::size_t first = growing.find_first_not_of(" \t\r\n", 1);
    if (first == std::string_view::npos) return;
    const bool ids = growing.front() == '[' && is_digit(growing[first]);
    if (growing.front() != '"' && !ids) return;
    Conversation& found = facts.conversation;
    found.form = Conversation::Form::text;
    found.text_at = static_cast<std::size_t>(growing.data() - body.data());
    found.text_size = growing.size();
    found.token_ids = ids;
  }

  bool conclude() {
    if (!has_model && requires_model(route))
      return refuse(BodyError{"'model' is missing.", "model"});
    if (facts.prompt_hash == 0 && (facts.prompt.text_bytes != 0 || facts.prompt.token_ids != 0))
      facts.prompt_hash = 1;
    // Without its end, which moves when it grows.
    if (!growing.empty()) growing.remove_suffix(1);
    facts.blocks = hash_blocks(growing, hash_bytes(facts.model, fixed_hash));
    if (conversations) conclude_conversation();
    if (!facts.stream || !has_stream_options(route) || facts.include_usage) return true;
    facts.ask_for_usage = std::move(usage_edit);
    // There is at least `model` behind it, hence the comma.
    if (!saw_stream_options) {
      facts.ask_for_usage = Splice{object_at + 1, 0, R"("stream_options":{"include_usage":true},)"};
    }
    return true;
  }
};

}  // namespace

struct BodyScanner::State {
  od::parser parser;
  std::vector<std::string> fields;
};

BodyScanner::BodyScanner(std::vector<std::string> fields) : state_(std::make_unique<State>()) {
  state_->fields = std::move(fields);
}
BodyScanner::~BodyScanner() = default;
BodyScanner::BodyScanner(BodyScanner&&) noexcept = default;
BodyScanner& BodyScanner::operator=(BodyScanner&&) noexcept = default;

std::expected<BodyFacts, BodyError> BodyScanner::scan(Route route, std::string_view body,
                                                      bool conversations) {
  Scan scan{.route = route, .body = body, .conversations = conversations, .fields = state_->fields};
  od::document document;
  const simdjson::padded_string_view padded(body.data(), body.size(),
                                            body.size() + simdjson::SIMDJSON_PADDING);
  const auto code = state_->parser.iterate(padded).get(document);
  const bool good = code == simdjson::SUCCESS ? scan.read_document(document) && scan.conclude()
                                              : scan.refuse(code);
  // The parser's index is four bytes for each byte of the largest body it has seen.
  if (state_->parser.capacity() > kKeepParser) state_->parser = od::parser();
  // What is wrong inside a message is the engine's to refuse.
  if (!good && scan.broken_inside) return this->scan(route, body, false);
  if (!good) return std::unexpected(std::move(scan.error));
  return std::move(scan.facts);
}

}  // namespace turnpike::openai
