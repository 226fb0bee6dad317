#include "openai/route.h"

namespace turnpike::openai {

Route find_route(std::string_view method, std::string_view path) {
  const bool reads = method == "GET" || method == "HEAD";
  const auto post = [method](Route route) {
    return method == "POST" ? route : Route::wrong_method;
  };
  if (path == "/v1/chat/completions") return post(Route::chat_completions);
  if (path == "/v1/completions") return post(Route::completions);
  if (path == "/v1/responses") return post(Route::responses);
  if (path == "/v1/messages") return post(Route::messages);
  if (path == "/v1/messages/count_tokens") return post(Route::count_tokens);
  if (path == "/v1/models") return reads ? Route::models : Route::wrong_method;
  if (path.starts_with("/v1/models/")) return reads ? Route::model : Route::wrong_method;
  if (path.starts_with("/v1/realtime")) return Route::unsupported;
  if (path == "/generate" || path == "/generate_stream" || path == "/completion" ||
      path == "/tokenize" || path == "/detokenize")
    return post(Route::engine);
  if (path.starts_with("/v1/") && method == "POST") return Route::other_v1;
  return Route::unknown;
}

}  // namespace turnpike::openai
