#include "openai/answer_tail.h"

#include <algorithm>
#include <initializer_list>

#include <simdjson.h>

#include "openai/usage_fields.h"

namespace turnpike::openai {

namespace od = simdjson::ondemand;

void AnswerTail::feed(std::string_view bytes) {
  if (bytes.size() >= kKept) {
    tail_.assign(bytes.substr(bytes.size() - kKept));
    return;
  }
  tail_.append(bytes);
  if (tail_.size() > 2 * kKept) tail_.erase(0, tail_.size() - kKept);
}

core::Usage AnswerTail::usage() const {
  for (const std::string_view key : {"\"usage\"", "\"meta_info\"", "\"details\"", "\"timings\""}) {
    const std::string_view json = last_object(key);
    if (json.empty()) continue;
    const simdjson::padded_string padded(json);
    od::parser parser;
    od::document document;
    od::object object;
    if (!parser.iterate(padded).get(document) && !document.get_object().get(object))
      return read_usage(object);
  }
  return {};
}

// The last object that is the value of the key, to its closing brace; empty if there is none.
std::string_view AnswerTail::last_object(std::string_view quoted_key) const {
  std::size_t at = tail_.rfind(quoted_key);
  if (at == std::string::npos) return {};
  at = tail_.find_first_not_of(": \t\r\n", at + quoted_key.size());
  if (at == std::string::npos || tail_[at] != '{') return {};
  int depth = 0;
  bool in_string = false;
  for (std::size_t end = at; end < tail_.size(); ++end) {
    const char c = tail_[end];
    if (in_string) {
      if (c == '\\') ++end;
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) return std::string_view(tail_).substr(at, end + 1 - at);
  }
  return {};
}

bool AnswerTail::ended_in_tool_call() const {
  const auto has = [this](std::string_view key, std::initializer_list<std::string_view> values) {
    for (std::size_t at = 0; (at = tail_.find(key, at)) != std::string::npos;) {
      at += key.size();
      const std::size_t value = tail_.find_first_not_of(": \t\r\n", at);
      if (value == std::string::npos) return false;
      const std::string_view rest = std::string_view(tail_).substr(value);
      if (std::ranges::any_of(values, [rest](auto v) { return rest.starts_with(v); })) return true;
    }
    return false;
  };
  return has("\"finish_reason\"", {"\"tool_calls\"", "\"function_call\""}) ||
         has("\"stop_reason\"", {"\"tool_use\""}) ||
         has("\"type\"", {"\"function_call\"", "\"custom_tool_call\""});
}

}  // namespace turnpike::openai
