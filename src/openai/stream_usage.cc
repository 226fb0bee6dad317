#include "openai/stream_usage.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include <simdjson.h>

#include "base/ascii.h"

namespace turnpike::openai {

namespace {

namespace od = simdjson::ondemand;

constexpr std::size_t kKeepScratch = std::size_t{64} * 1024;
static_assert(std::endian::native == std::endian::little,
              "glance_at() counts bytes from the low end");

// The value behind the key whose closing quote stands before `rest` begins with this byte; 0 if it is no key.
char value_after(std::string_view rest) {
  std::size_t at = rest.find_first_not_of(" \t\r\n");
  if (at == std::string_view::npos || rest[at] != ':') return 0;
  at = rest.find_first_not_of(" \t\r\n", at + 1);
  return at == std::string_view::npos ? '\0' : rest[at];
}

// Which of the keys that matter are there with a value that is not null, at any depth.
struct Glance {
  bool usage = false;
  bool finish = false;
  bool error = false;
};

// One pass over the quotes of the event, eight bytes at a time. Within a JSON string the closing quote of a key would be escaped, so
// that text which talks of the keys does not match.
Glance glance_at(std::string_view json) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7fULL;
  Glance found;
  const auto look = [&](std::size_t quote) {
    const std::string_view rest = json.substr(quote + 1);
    const auto is = [rest](std::string_view key) {
      if (!rest.starts_with(key)) return false;
      const char first = value_after(rest.substr(key.size()));
      return first != 0 && first != 'n';
    };
    switch (rest.empty() ? '\0' : rest.front()) {
      case 'u':
        found.usage = found.usage || is("usage\"");
        break;
      case 'f':
        found.finish = found.finish || is("finish_reason\"");
        break;
      case 'e':
        found.error = found.error || is("error\"");
        break;
      default:
        break;
    }
  };
  std::size_t at = 0;
  for (; at + 8 <= json.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, json.data() + at, 8);
    const std::uint64_t other = word ^ (kOnes * '"');
    // The high bit of every byte that is a quote, and of no other.
    std::uint64_t quotes = ~(((other & kLow) + kLow) | other | kLow);
    while (quotes != 0) {
      look(at + static_cast<std::size_t>(std::countr_zero(quotes)) / 8);
      quotes &= quotes - 1;
    }
  }
  for (; at < json.size(); ++at) {
    if (json[at] == '"') look(at);
  }
  return found;
}

std::optional<TokenCount> count_of(od::value value) {
  std::int64_t number = 0;
  if (value.get_int64().get(number) || number < 0) return std::nullopt;
  return TokenCount(number);
}

// A usage object of either dialect. Anthropic counts cached tokens apart from input_tokens.
core::Usage read_usage(od::object object) {
  core::Usage usage;
  std::optional<TokenCount> input;
  std::optional<TokenCount> cache_read;
  std::optional<TokenCount> cache_written;
  bool input_includes_cached = false;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) break;
    std::string_view name;
    if (field.unescaped_key().get(name)) break;
    if (name == "prompt_tokens") {
      usage.prompt_tokens = count_of(field.value());
    } else if (name == "completion_tokens" || name == "output_tokens") {
      usage.output_tokens = count_of(field.value());
    } else if (name == "input_tokens") {
      input = count_of(field.value());
    } else if (name == "cache_read_input_tokens") {
      cache_read = count_of(field.value());
    } else if (name == "cache_creation_input_tokens") {
      cache_written = count_of(field.value());
    } else if (name == "prompt_tokens_details" || name == "input_tokens_details") {
      od::object details;
      input_includes_cached = true;
      if (field.value().get_object().get(details)) continue;
      od::value cached;
      if (!details.find_field_unordered("cached_tokens").get(cached))
        usage.cached_tokens = count_of(cached);
    }
  }
  if (!usage.prompt_tokens && input) {
    usage.prompt_tokens = input;
    if (!input_includes_cached) {
      *usage.prompt_tokens +=
          cache_read.value_or(TokenCount(0)) + cache_written.value_or(TokenCount(0));
      usage.cached_tokens = cache_read;
    }
  }
  return usage;
}

void merge(core::Usage& into, const core::Usage& said) {
  if (said.prompt_tokens) into.prompt_tokens = said.prompt_tokens;
  if (said.cached_tokens) into.cached_tokens = said.cached_tokens;
  if (said.output_tokens) into.output_tokens = said.output_tokens;
}

bool is_non_empty_string(od::value value) {
  std::string_view text;
  return !value.get_string().get(text) && !text.empty();
}

// Chat: delta.content, reasoning, reasoning_content, refusal, or a tool call. Completions: text.
bool delta_has_content(od::object delta) {
  for (auto entry : delta) {
    od::field field;
    if (std::move(entry).get(field)) return false;
    std::string_view name;
    if (field.unescaped_key().get(name)) return false;
    if (name == "content" || name == "reasoning_content" || name == "reasoning" ||
        name == "refusal") {
      if (is_non_empty_string(field.value())) return true;
    } else if (name == "tool_calls") {
      od::array calls;
      bool empty = true;
      if (!field.value().get_array().get(calls) && !calls.is_empty().get(empty) && !empty)
        return true;
    } else if (name == "function_call") {
      od::object call;
      if (!field.value().get_object().get(call)) return true;
    }
  }
  return false;
}

}  // namespace

struct StreamUsage::Parser {
  od::parser parser;
  std::string scratch;

  // Working memory of some kilobytes: a thread's streams share one, because an event is read and forgotten at once.
  static Parser& of_thread() {
    static thread_local Parser shared;
    return shared;
  }

  // False if the payload is no JSON object.
  bool parse(std::string_view payload, od::document& document, od::object& object) {
    if (scratch.capacity() > kKeepScratch) std::string().swap(scratch);
    scratch.reserve(payload.size() + simdjson::SIMDJSON_PADDING);
    scratch.assign(payload);
    const simdjson::padded_string_view padded(scratch.data(), scratch.size(), scratch.capacity());
    return !parser.iterate(padded).get(document) && !document.get_object().get(object);
  }
};

EventFacts StreamUsage::feed(std::string_view payload) {
  return dialect_ == Dialect::anthropic ? feed_anthropic(payload) : feed_openai(payload);
}

EventFacts StreamUsage::feed_openai(std::string_view payload) {
  EventFacts facts;
  if (payload.size() < 16 && trim(payload) == "[DONE]") {
    saw_done_ = true;
    facts.done = true;
    return facts;
  }
  const Glance glance = glance_at(payload);
  if (saw_content_ && !glance.usage && !glance.finish && !glance.error) return facts;

  Parser& parser = Parser::of_thread();
  od::document document;
  od::object object;
  if (!parser.parse(payload, document, object)) return facts;
  bool usage_found = false;
  bool has_choices = false;
  bool choices_empty = true;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) break;
    std::string_view name;
    if (field.unescaped_key().get(name)) break;
    if (name == "usage") {
      od::object usage;
      if (field.value().get_object().get(usage)) continue;
      merge(usage_, read_usage(usage));
      usage_found = true;
    } else if (name == "error") {
      facts.error = !field.value().is_null();
    } else if (name == "choices") {
      od::array choices;
      if (field.value().get_array().get(choices)) continue;
      has_choices = true;
      for (auto element : choices) {
        choices_empty = false;
        od::object choice;
        if (element.get_object().get(choice)) break;
        for (auto part : choice) {
          od::field piece;
          if (std::move(part).get(piece)) break;
          std::string_view key;
          if (piece.unescaped_key().get(key)) break;
          std::string_view reason;
          if (key == "delta") {
            od::object delta;
            if (!saw_content_ && !piece.value().get_object().get(delta) && delta_has_content(delta))
              facts.content = true;
          } else if (key == "text") {
            if (!saw_content_ && is_non_empty_string(piece.value())) facts.content = true;
          } else if (key == "finish_reason" && !piece.value().get_string().get(reason)) {
            saw_finish_ = true;
            ended_in_tool_call_ =
                ended_in_tool_call_ || reason == "tool_calls" || reason == "function_call";
          }
        }
      }
    }
  }
  facts.usage_only = usage_found && has_choices && choices_empty;
  saw_content_ = saw_content_ || facts.content;
  return facts;
}

EventFacts StreamUsage::feed_anthropic(std::string_view payload) {
  EventFacts facts;
  if (saw_content_ && payload.find("content_block_delta") != std::string_view::npos) return facts;
  Parser& parser = Parser::of_thread();
  od::document document;
  od::object object;
  if (!parser.parse(payload, document, object)) return facts;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) break;
    std::string_view name;
    if (field.unescaped_key().get(name)) break;
    if (name == "type") {
      std::string_view type;
      if (field.value().get_string().get(type)) continue;
      facts.content = type == "content_block_delta" && !saw_content_;
      facts.error = type == "error";
      facts.done = type == "message_stop";
    } else if (name == "usage") {
      od::object usage;
      if (!field.value().get_object().get(usage)) merge(usage_, read_usage(usage));
    } else if (name == "message") {
      od::object message;
      od::object usage;
      if (!field.value().get_object().get(message) &&
          !message.find_field_unordered("usage").get_object().get(usage)) {
        merge(usage_, read_usage(usage));
      }
    } else if (name == "delta") {
      od::object delta;
      std::string_view reason;
      if (!field.value().get_object().get(delta) &&
          !delta.find_field_unordered("stop_reason").get_string().get(reason)) {
        saw_finish_ = true;
        ended_in_tool_call_ = reason == "tool_use";
      }
    }
  }
  saw_content_ = saw_content_ || facts.content;
  saw_done_ = saw_done_ || facts.done;
  return facts;
}

void AnswerTail::feed(std::string_view bytes) {
  if (bytes.size() >= kKept) {
    tail_.assign(bytes.substr(bytes.size() - kKept));
    return;
  }
  tail_.append(bytes);
  if (tail_.size() > 2 * kKept) tail_.erase(0, tail_.size() - kKept);
}

core::Usage AnswerTail::usage() const {
  core::Usage found;
  std::size_t at = tail_.rfind("\"usage\"");
  if (at == std::string::npos) return found;
  at = tail_.find_first_not_of(": \t\r\n", at + 7);
  if (at == std::string::npos || tail_[at] != '{') return found;
  // Only the object itself is looked at: what stands behind it is no JSON on its own.
  std::size_t end = at;
  int depth = 0;
  bool in_string = false;
  for (; end < tail_.size(); ++end) {
    const char c = tail_[end];
    if (in_string) {
      if (c == '\\') ++end;
      in_string = c != '"';
      continue;
    }
    in_string = c == '"';
    if (c == '{') ++depth;
    if (c == '}' && --depth == 0) break;
  }
  if (end >= tail_.size()) return found;
  const simdjson::padded_string json(tail_.data() + at, end + 1 - at);
  od::parser parser;
  od::document document;
  od::object object;
  if (parser.iterate(json).get(document) || document.get_object().get(object)) return found;
  return read_usage(object);
}

bool AnswerTail::ended_in_tool_call() const {
  for (const std::string_view key :
       {std::string_view("\"finish_reason\""), std::string_view("\"stop_reason\"")}) {
    std::size_t at = 0;
    while ((at = tail_.find(key, at)) != std::string::npos) {
      at += key.size();
      const std::size_t value = tail_.find_first_not_of(": \t\r\n", at);
      if (value == std::string::npos) return false;
      const std::string_view rest = std::string_view(tail_).substr(value);
      if (rest.starts_with("\"tool_calls\"") || rest.starts_with("\"function_call\"") ||
          rest.starts_with("\"tool_use\"")) {
        return true;
      }
    }
  }
  return false;
}

}  // namespace turnpike::openai
