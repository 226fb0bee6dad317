#include "app/engine/prompt.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <simdjson.h>

#include "base/hash_chain.h"
#include "base/random.h"

namespace turnpike::app {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kBlockBytes = engine::kBlockTokens * kBytesPerToken;

ApiError invalid(std::string message, std::string param = {}) {
  return {.status = 400, .message = std::move(message), .param = std::move(param)};
}

void fill_token(std::string& text) {
  text.resize((text.size() + kBytesPerToken - 1) / kBytesPerToken * kBytesPerToken, '\0');
}

// One token: a control byte, which no text that is worth something begins with, and three letters of the role.
void open_message(std::string& rendered, std::string_view role) {
  rendered += '\x01';
  for (std::size_t i = 0; i < 3; ++i) rendered += i < role.size() ? role[i] : '_';
}

void append_part(std::string& rendered, dom::element part) {
  std::string_view text;
  if (part.is_string()) {
    rendered += part.get_string().value_unsafe();
  } else if (part["text"].get(text) == simdjson::SUCCESS) {
    rendered += text;
  } else {
    rendered += simdjson::minify(part);
  }
}

bool append_message(std::string& rendered, dom::object message) {
  std::string_view role;
  if (message["role"].get(role) != simdjson::SUCCESS) return false;
  open_message(rendered, role);
  dom::element content;
  if (message["content"].get(content) == simdjson::SUCCESS && !content.is_null()) {
    dom::array parts;
    if (content.get(parts) == simdjson::SUCCESS) {
      for (const dom::element part : parts) append_part(rendered, part);
    } else {
      append_part(rendered, content);
    }
  }
  dom::element calls;
  if (message["tool_calls"].get(calls) == simdjson::SUCCESS && !calls.is_null()) {
    rendered += simdjson::minify(calls);
  }
  fill_token(rendered);
  return true;
}

std::optional<ApiError> render_chat(dom::object body, std::string& rendered) {
  dom::array messages;
  if (body["messages"].get(messages) != simdjson::SUCCESS || messages.size() == 0) {
    return invalid("messages: a list of at least one message is required", "messages");
  }
  dom::element tools;
  if (body["tools"].get(tools) == simdjson::SUCCESS && !tools.is_null()) {
    open_message(rendered, "tls");
    rendered += simdjson::minify(tools);
    fill_token(rendered);
  }
  for (const dom::element message : messages) {
    dom::object object;
    if (message.get(object) != simdjson::SUCCESS || !append_message(rendered, object)) {
      return invalid("messages: every message is an object with a role", "messages");
    }
  }
  open_message(rendered, "assistant");
  return std::nullopt;
}

bool append_token_ids(dom::array ids, std::string& rendered) {
  for (const dom::element id : ids) {
    std::uint64_t value = 0;
    if (id.get(value) != simdjson::SUCCESS) return false;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      rendered += static_cast<char>((value >> shift) & 0xffU);
    }
  }
  return true;
}

// A text, a list of token ids, or a list of exactly one of these.
std::optional<ApiError> render_prompt(dom::element prompt, std::string& rendered,
                                      bool nested = false) {
  std::string_view text;
  dom::array list;
  if (prompt.get(text) == simdjson::SUCCESS) {
    rendered = text;
  } else if (prompt.get(list) != simdjson::SUCCESS || list.size() == 0) {
    return invalid("prompt: a text or a list of token ids is required", "prompt");
  } else if (!append_token_ids(list, rendered)) {
    rendered.clear();
    if (nested || list.size() != 1) {
      return invalid("prompt: the simulated engine takes one prompt a request", "prompt");
    }
    return render_prompt(list.at(0).value(), rendered, true);
  }
  if (rendered.empty()) return invalid("prompt: must not be empty", "prompt");
  return std::nullopt;
}

// Null and absent are the same to vLLM.
template <typename T>
bool optional_field(dom::object body, std::string_view name, std::optional<T>& value) {
  dom::element element;
  if (body[name].get(element) != simdjson::SUCCESS || element.is_null()) return true;
  T parsed{};
  if (element.get(parsed) != simdjson::SUCCESS) return false;
  value = parsed;
  return true;
}

std::optional<ApiError> read_options(dom::object body, GenerationRequest& request) {
  std::optional<std::string_view> model;
  std::optional<bool> stream;
  if (!optional_field(body, "model", model)) return invalid("model: must be a string", "model");
  if (!optional_field(body, "stream", stream))
    return invalid("stream: must be a boolean", "stream");
  request.model = std::string(model.value_or(""));
  request.stream = stream.value_or(false);

  for (const char* const name : {"max_tokens", "max_completion_tokens"}) {
    if (!optional_field(body, name, request.max_tokens)) {
      return invalid(fmt::format("{}: must be an integer", name), name);
    }
  }
  if (request.max_tokens && *request.max_tokens < 1) {
    return invalid(fmt::format("max_tokens must be at least 1, got {}.", *request.max_tokens),
                   "max_tokens");
  }
  std::optional<std::int64_t> choices;
  if (!optional_field(body, "n", choices) || choices.value_or(1) != 1) {
    return invalid("n: the simulated engine gives one answer a request", "n");
  }
  dom::object options;
  if (body["stream_options"].get(options) == simdjson::SUCCESS) {
    std::optional<bool> include_usage;
    if (!optional_field(options, "include_usage", include_usage)) {
      return invalid("stream_options.include_usage: must be a boolean", "stream_options");
    }
    request.include_usage = include_usage.value_or(false);
  }
  return std::nullopt;
}

}  // namespace

std::expected<GenerationRequest, ApiError> parse_generation(Api api, std::string_view body) {
  dom::parser parser;
  dom::element document;
  if (const auto error = parser.parse(body.data(), body.size()).get(document); error) {
    return std::unexpected(invalid(
        fmt::format("[{{'type': 'json_invalid', 'loc': ('body',), 'msg': 'JSON decode error', "
                    "'ctx': {{'error': '{}'}}}}]",
                    simdjson::error_message(error))));
  }
  dom::object fields;
  if (document.get(fields) != simdjson::SUCCESS) {
    return std::unexpected(invalid("the body must be a JSON object"));
  }
  GenerationRequest request;
  request.api = api;
  request.rendered.reserve(body.size() + 64);
  if (auto error = read_options(fields, request)) return std::unexpected(std::move(*error));
  std::optional<ApiError> error;
  if (api == Api::chat) {
    error = render_chat(fields, request.rendered);
  } else if (dom::element prompt; fields["prompt"].get(prompt) == simdjson::SUCCESS) {
    error = render_prompt(prompt, request.rendered);
  } else {
    error = invalid("prompt: is required", "prompt");
  }
  if (error) return std::unexpected(std::move(*error));
  return request;
}

TokenCount prompt_tokens(const GenerationRequest& request) {
  return TokenCount((std::ssize(request.rendered) + kBytesPerToken - 1) / kBytesPerToken);
}

std::string answer_text(std::string_view rendered_prompt, TokenCount tokens) {
  std::string text;
  text.reserve(static_cast<std::size_t>(tokens.value() * kBytesPerToken));
  Random random(hash_bytes(rendered_prompt));
  for (std::int64_t i = 0; i < tokens.value(); ++i) {
    std::uint64_t bits = random.next();
    text += ' ';
    for (int letter = 0; letter < 3; ++letter) {
      text += static_cast<char>('a' + bits % 26);
      bits /= 26;
    }
  }
  return text;
}

TokenCount default_answer_length(std::string_view rendered_prompt) {
  return TokenCount(static_cast<std::int64_t>(16 + hash_bytes(rendered_prompt, 1) % 241));
}

std::vector<engine::BlockHash> block_chain(std::string_view prompt, std::string_view answer) {
  std::vector<engine::BlockHash> chain;
  chain.reserve((prompt.size() + answer.size()) / kBlockBytes);
  engine::BlockHash last = 0;
  const auto extend = [&](std::string_view block) {
    last = chain_hash(last, hash_bytes(block));
    chain.push_back(last);
  };
  while (prompt.size() >= kBlockBytes) {
    extend(prompt.substr(0, kBlockBytes));
    prompt.remove_prefix(kBlockBytes);
  }
  // The block in which prompt and answer meet.
  if (!prompt.empty() && prompt.size() + answer.size() >= kBlockBytes) {
    std::array<char, kBlockBytes> seam{};
    const std::size_t from_answer = kBlockBytes - prompt.size();
    std::ranges::copy(prompt, seam.begin());
    std::ranges::copy(answer.substr(0, from_answer),
                      seam.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
    extend({seam.data(), seam.size()});
    answer.remove_prefix(from_answer);
  }
  while (answer.size() >= kBlockBytes) {
    extend(answer.substr(0, kBlockBytes));
    answer.remove_prefix(kBlockBytes);
  }
  return chain;
}

}  // namespace turnpike::app
