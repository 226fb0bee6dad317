#include "openai/stream_usage.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include <simdjson.h>

#include "base/ascii.h"
#include "openai/usage_fields.h"

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

  static void read_response(od::object& response, StreamUsage& into);

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
  switch (dialect_) {
    case Dialect::openai:
      return feed_openai(payload);
    case Dialect::anthropic:
      return feed_anthropic(payload);
    case Dialect::responses:
      return feed_responses(payload);
    case Dialect::native:
      return feed_native(payload);
  }
  return {};
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
      merge_usage(usage_, read_usage(usage));
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
      if (!field.value().get_object().get(usage)) merge_usage(usage_, read_usage(usage));
    } else if (name == "message") {
      od::object message;
      od::object usage;
      if (!field.value().get_object().get(message) &&
          !message.find_field_unordered("usage").get_object().get(usage)) {
        merge_usage(usage_, read_usage(usage));
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

EventFacts StreamUsage::feed_responses(std::string_view payload) {
  EventFacts facts;
  const Glance glance = glance_at(payload);
  if (saw_content_ && !glance.usage && !glance.error) return facts;
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
      facts.content = !saw_content_ && type.ends_with(".delta");
      facts.done = type == "response.completed" || type == "response.incomplete";
      facts.error = type == "error" || type == "response.failed";
    } else if (name == "response") {
      od::object response;
      if (!field.value().get_object().get(response)) Parser::read_response(response, *this);
    }
  }
  saw_content_ = saw_content_ || facts.content;
  saw_done_ = saw_done_ || facts.done;
  saw_finish_ = saw_done_;
  return facts;
}

// The object that the first and the last event of a Responses stream carry.
void StreamUsage::Parser::read_response(od::object& response, StreamUsage& into) {
  for (auto entry : response) {
    od::field field;
    if (std::move(entry).get(field)) return;
    std::string_view name;
    if (field.unescaped_key().get(name)) return;
    if (name == "usage") {
      od::object usage;
      if (!field.value().get_object().get(usage)) merge_usage(into.usage_, read_usage(usage));
    } else if (name == "output") {
      od::array items;
      if (field.value().get_array().get(items)) continue;
      for (auto element : items) {
        od::object item;
        std::string_view type;
        if (element.get_object().get(item)) break;
        if (item.find_field_unordered("type").get_string().get(type)) continue;
        into.ended_in_tool_call_ = type == "function_call" || type == "custom_tool_call";
      }
    }
  }
}

// Every event may carry running totals (SGLang), or the last (TGI, llama.cpp).
EventFacts StreamUsage::feed_native(std::string_view payload) {
  EventFacts facts;
  if (payload.size() < 16 && trim(payload) == "[DONE]") {
    saw_done_ = true;
    facts.done = true;
    return facts;
  }
  Parser& parser = Parser::of_thread();
  od::document document;
  od::object object;
  if (!parser.parse(payload, document, object)) return facts;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) break;
    std::string_view name;
    if (field.unescaped_key().get(name)) break;
    if (name == "text" || name == "content") {
      facts.content = facts.content || is_non_empty_string(field.value());
    } else if (name == "token" || name == "output_ids") {
      facts.content = facts.content || !field.value().is_null();
    } else if (name == "meta_info" || name == "details" || name == "timings") {
      od::object usage;
      if (!field.value().get_object().get(usage)) merge_usage(usage_, read_usage(usage));
    } else if (name == "error") {
      facts.error = !field.value().is_null();
    }
  }
  facts.content = facts.content && !saw_content_;
  saw_content_ = saw_content_ || facts.content;
  return facts;
}

}  // namespace turnpike::openai
