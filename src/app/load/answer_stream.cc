#include "app/load/answer_stream.h"

#include <algorithm>

#include "base/ascii.h"

namespace turnpike::app {
namespace {

std::string_view skip_blanks(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

// What stands behind `"name":` at its first occurrence as a key. A name within a string value cannot be taken for a key,
// because the quotes around it would be escaped there.
std::optional<std::string_view> value_of(std::string_view json, std::string_view quoted_name) {
  for (std::size_t at = json.find(quoted_name); at != std::string_view::npos;
       at = json.find(quoted_name, at + 1)) {
    const std::string_view rest = skip_blanks(json.substr(at + quoted_name.size()));
    if (rest.starts_with(':')) return skip_blanks(rest.substr(1));
  }
  return std::nullopt;
}

// The inside of the string that `text` begins with; nothing if it does not begin with one.
std::optional<std::string_view> string_at(std::string_view text) {
  if (!text.starts_with('"')) return std::nullopt;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return text.substr(1, i - 1);
    }
  }
  return std::nullopt;
}

std::optional<std::int64_t> number_of(std::string_view json, std::string_view quoted_name) {
  const auto value = value_of(json, quoted_name);
  if (!value) return std::nullopt;
  const auto end = std::ranges::find_if_not(*value, is_digit);
  return parse_unsigned<std::uint32_t>({value->begin(), end});
}

bool has_text(std::string_view json, std::string_view quoted_name) {
  const auto value = value_of(json, quoted_name);
  const auto text = value ? string_at(*value) : std::nullopt;
  return text && !text->empty();
}

}  // namespace

bool AnswerStream::feed(std::string_view bytes) {
  const bool before = has_content();
  while (const auto event = scanner_.next(bytes)) {
    if (event->has_data && !event->fragment) take(event->data);
  }
  return !before && has_content();
}

void AnswerStream::take(std::string_view data) {
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  if (data.starts_with("{\"error\"")) {
    error_ = std::string(data.substr(0, 1024));
    return;
  }
  const auto content = value_of(data, "\"content\"");
  const auto text = content ? string_at(*content) : std::nullopt;
  if (text && !text->empty()) {
    text_ += *text;
    ++content_events_;
  } else if (has_text(data, "\"reasoning_content\"") || has_text(data, "\"reasoning\"") ||
             has_text(data, "\"refusal\"") || data.find("\"tool_calls\":[{") != data.npos) {
    ++content_events_;
  }
  if (has_text(data, "\"finish_reason\"")) finished_ = true;
  if (const auto usage = value_of(data, "\"usage\""); usage && usage->starts_with('{')) {
    if (const auto n = number_of(*usage, "\"prompt_tokens\"")) prompt_tokens_ = n;
    if (const auto n = number_of(*usage, "\"cached_tokens\"")) cached_tokens_ = n;
    if (const auto n = number_of(*usage, "\"completion_tokens\"")) completion_tokens_ = n;
  }
}

}  // namespace turnpike::app
