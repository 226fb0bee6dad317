#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "engine/kv_cache.h"

namespace turnpike::app {

// An answer that says what was wrong with a request, in vLLM's words.
struct ApiError {
  int status = 400;
  std::string message;
  std::string type = "BadRequestError";
  std::string param{};  // empty: null
};

enum class Api : std::uint8_t { chat, completion };

// What the stand-in understands of a request's body.
struct GenerationRequest {
  Api api = Api::chat;
  std::string model;  // empty: not named
  // What the engine would tokenise, 4 bytes a token. A message is a token that names its role and the bytes of its text,
  // filled up to a whole token; a conversation ends with the token that opens the answer. So an answer that is sent back
  // stands where the decode wrote it. Token ids are 4 bytes each.
  std::string rendered;
  std::optional<std::int64_t> max_tokens;
  bool stream = false;
  bool include_usage = false;
};

inline constexpr std::int64_t kBytesPerToken = 4;

// Never asserts on what a client sent.
std::expected<GenerationRequest, ApiError> parse_generation(Api api, std::string_view body);

TokenCount prompt_tokens(const GenerationRequest& request);

// The answer to a prompt: `tokens` times 4 ASCII bytes that need no escaping in JSON, the same for the same prompt; a shorter
// answer is a prefix of a longer one.
std::string answer_text(std::string_view rendered_prompt, TokenCount tokens);

// How long the answer is where the request does not say: 16 to 256 tokens, the same for the same prompt.
TokenCount default_answer_length(std::string_view rendered_prompt);

// The chained hashes of the whole blocks of prompt and answer.
std::vector<engine::BlockHash> block_chain(std::string_view rendered_prompt,
                                           std::string_view answer);

}  // namespace turnpike::app
