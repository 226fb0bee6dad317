#pragma once

#include <cstdint>
#include <string_view>

namespace turnpike::openai {

// Whose shapes a route speaks: of its errors, its stream, its usage. `native`: the engines' own (/generate, /completion).
enum class Dialect : std::uint8_t { openai, anthropic, responses, native };

enum class Route : std::uint8_t {
  chat_completions,  // POST /v1/chat/completions
  completions,       // POST /v1/completions
  responses,         // POST /v1/responses
  messages,          // POST /v1/messages
  count_tokens,      // POST /v1/messages/count_tokens
  other_v1,          // any other POST /v1/... (embeddings, rerank, score, classify, pooling, audio)
  engine,            // POST /generate, /completion, /tokenize, ...: the model may be missing
  stored_response,   // GET, DELETE /v1/responses/{id}, GET .../input_items, POST .../cancel
  models,            // GET /v1/models
  model,             // GET /v1/models/{id}
  unknown,           // 404
  wrong_method,      // 405
  unsupported,       // 501: realtime
};

// `path` without the query. HEAD counts as GET.
Route find_route(std::string_view method, std::string_view path);

constexpr Dialect dialect_of(Route route) {
  switch (route) {
    case Route::messages:
    case Route::count_tokens:
      return Dialect::anthropic;
    case Route::responses:
    case Route::stored_response:
      return Dialect::responses;
    case Route::engine:
      return Dialect::native;
    default:
      return Dialect::openai;
  }
}
// Routes whose requests go through a pool.
constexpr bool is_relayed(Route route) {
  return route <= Route::engine;
}
// The id in the path of a stored response.
std::string_view stored_response_id(std::string_view path);
constexpr bool requires_model(Route route) {
  return route != Route::engine;
}
// Routes whose streams carry usage when `stream_options.include_usage` asks for it.
constexpr bool has_stream_options(Route route) {
  return route == Route::chat_completions || route == Route::completions;
}

}  // namespace turnpike::openai
