#include "app/engine/wire.h"

#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace turnpike::app {
namespace {

std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string usage_json(const Usage& usage) {
  return fmt::format(
      R"({{"prompt_tokens":{},"total_tokens":{},"completion_tokens":{},"prompt_tokens_details":{{"cached_tokens":{}}}}})",
      usage.prompt.value(), (usage.prompt + usage.completion).value(), usage.completion.value(),
      usage.cached.value());
}

std::string head(Api api, std::string_view object, std::string_view id, std::string_view model,
                 std::int64_t created) {
  return fmt::format(R"({{"id":{},"object":"{}","created":{},"model":{})",
                     json_text((api == Api::chat ? "chatcmpl-" : "cmpl-") + std::string(id)),
                     object, created, json_text(model));
}

}  // namespace

AnswerWriter::AnswerWriter(Api api, std::string_view id, std::string_view model,
                           std::int64_t created)
    : api_(api),
      head_(head(api, api == Api::chat ? "chat.completion.chunk" : "text_completion", id, model,
                 created)),
      token_head_("data: " + head_ + R"(,"choices":[{"index":0,)" +
                  (api == Api::chat ? R"("delta":{"content":")" : R"("text":")")) {}

void AnswerWriter::begin(std::string& out) const {
  if (api_ != Api::chat) return;
  out += "data: ";
  out += head_;
  out +=
      R"(,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]})"
      "\n\n";
}

void AnswerWriter::token(std::string& out, std::string_view text, std::string_view finish) const {
  out += token_head_;
  out += text;
  out += api_ == Api::chat ? R"("},"logprobs":null,"finish_reason":)"
                           : R"(","logprobs":null,"finish_reason":)";
  if (finish.empty()) {
    out += R"(null,"token_ids":null}]})"
           "\n\n";
  } else {
    out += '"';
    out += finish;
    out += R"(","stop_reason":null,"token_ids":null}]})"
           "\n\n";
  }
}

void AnswerWriter::usage(std::string& out, const Usage& usage) const {
  fmt::format_to(std::back_inserter(out), "data: {},\"choices\":[],\"usage\":{}}}\n\n", head_,
                 usage_json(usage));
}

std::string AnswerWriter::whole(std::string_view text, std::string_view finish,
                                const Usage& usage) const {
  std::string body = head_;
  if (api_ == Api::chat) {
    constexpr std::string_view kChunk = "chat.completion.chunk";
    body.replace(body.find(kChunk), kChunk.size(), "chat.completion");
    fmt::format_to(
        std::back_inserter(body),
        R"(,"choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"finish_reason":"{}","stop_reason":null}}])",
        text, finish);
  } else {
    fmt::format_to(
        std::back_inserter(body),
        R"(,"choices":[{{"index":0,"text":"{}","logprobs":null,"finish_reason":"{}","stop_reason":null}}])",
        text, finish);
  }
  fmt::format_to(std::back_inserter(body), R"(,"usage":{}}})", usage_json(usage));
  return body;
}

std::string error_body(const ApiError& error) {
  return fmt::format(R"({{"error":{{"message":{},"type":{},"param":{},"code":{}}}}})",
                     json_text(error.message), json_text(error.type),
                     error.param.empty() ? "null" : json_text(error.param), error.status);
}

ApiError unknown_model(std::string_view model) {
  return {.status = 404,
          .message = fmt::format("The model `{}` does not exist.", model),
          .type = "NotFoundError",
          .param = "model"};
}

ApiError too_long(TokenCount most, TokenCount prompt, TokenCount output) {
  return {
      .status = 400,
      .message = fmt::format(
          "This model's maximum context length is {} tokens. However, you requested {} output "
          "tokens and your prompt contains at least {} input tokens, for a total of at least {} "
          "tokens. Please reduce the length of the input prompt or the number of requested "
          "output tokens.",
          most.value(), output.value(), prompt.value(), (prompt + output).value()),
      .type = "BadRequestError",
      .param = "input_tokens"};
}

std::string models_body(std::string_view model, TokenCount most, std::int64_t created) {
  return fmt::format(
      R"({{"object":"list","data":[{{"id":{0},"object":"model","created":{1},"owned_by":"turnpike-engine","root":{0},"parent":null,"max_model_len":{2},"permission":[]}}]}})",
      json_text(model), created, most.value());
}

}  // namespace turnpike::app
