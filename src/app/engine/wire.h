#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/engine/prompt.h"
#include "base/units.h"

namespace turnpike::app {

// What an answer reports about itself.
struct Usage {
  TokenCount prompt;
  TokenCount cached;
  TokenCount completion;
};

// The text of one answer, as vLLM words it. Everything that does not change from event to event is made once.
class AnswerWriter {
 public:
  // `created`: seconds since 1970. `id` is what stands behind "chatcmpl-" or "cmpl-".
  AnswerWriter(Api api, std::string_view id, std::string_view model, std::int64_t created);

  // The event before the first token: the role, with empty content. Nothing for completions.
  void begin(std::string& out) const;
  // One token; `finish` is "length" or "stop" with the last one, else empty. The text needs no escaping.
  void token(std::string& out, std::string_view text, std::string_view finish) const;
  void usage(std::string& out, const Usage& usage) const;
  static void done(std::string& out) { out += "data: [DONE]\n\n"; }

  // The answer as one JSON document.
  [[nodiscard]] std::string whole(std::string_view text, std::string_view finish,
                                  const Usage& usage) const;

 private:
  Api api_;
  std::string head_;        // {"id":...,"model":"..."
  std::string token_head_;  // up to the text of a token
};

// {"error":{...}} as vLLM words it.
std::string error_body(const ApiError& error);
// vLLM's answer to a path that it does not know.
inline constexpr std::string_view kNotFoundBody = R"({"detail":"Not Found"})";

ApiError unknown_model(std::string_view model);
ApiError too_long(TokenCount most, TokenCount prompt, TokenCount output);

std::string models_body(std::string_view model, TokenCount most, std::int64_t created);

}  // namespace turnpike::app
