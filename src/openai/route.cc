#include "openai/route.h"

namespace turnpike::openai {

namespace {

constexpr std::string_view kResponses = "/v1/responses/";

}  // namespace

std::string_view stored_response_id(std::string_view path) {
  if (!path.starts_with(kResponses)) return {};
  path.remove_prefix(kResponses.size());
  return path.substr(0, path.find('/'));
}

Route find_route(std::string_view method, std::string_view path) {
  const bool reads = method == "GET" || method == "HEAD";
  const auto post = [method](Route route) {
    return method == "POST" ? route : Route::wrong_method;
  };
  if (path == "/v1/chat/completions") return post(Route::chat_completions);
  if (path == "/v1/completions") return post(Route::completions);
  if (path == "/v1/responses") return post(Route::responses);
  if (const std::string_view id = stored_response_id(path); !id.empty()) {
    const std::string_view rest = path.substr(kResponses.size() + id.size());
    if (rest.empty())
      return method == "GET" || method == "DELETE" ? Route::stored_response : Route::wrong_method;
    if (rest == "/input_items")
      return method == "GET" ? Route::stored_response : Route::wrong_method;
    if (rest == "/cancel") return post(Route::stored_response);
    return Route::unknown;
  }
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
