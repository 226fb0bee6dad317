#include "openai/error_body.h"

#include <array>
#include <cassert>
#include <utility>

namespace turnpike::openai {

namespace {

constexpr std::string_view kInvalid = "invalid_request_error";
constexpr std::string_view kServer = "server_error";

struct Row {
  Trouble trouble;
  TroubleFacts facts;
};

constexpr auto kTable = std::to_array<Row>({
    {Trouble::bad_request,
     {400, kInvalid, "bad_request", "bad-request", false, "The request is malformed."}},
    {Trouble::bad_body,
     {400, kInvalid, "invalid_body", "bad-request", false, "The body could not be understood."}},
    {Trouble::unauthorized,
     {401, "authentication_error", "invalid_api_key", "unauthorized", false,
      "No or wrong credentials."}},
    {Trouble::unknown_model,
     {404, kInvalid, "model_not_found", "unknown-model", false, "There is no such model."}},
    {Trouble::unknown_response,
     {404, kInvalid, "previous_response_not_found", "unknown-response", false,
      "There is no such response."}},
    {Trouble::not_found,
     {404, kInvalid, "not_found", "not-found", false, "There is nothing at this path."}},
    {Trouble::method_not_allowed,
     {405, kInvalid, "method_not_allowed", "method-not-allowed", false,
      "This path does not take this method."}},
    {Trouble::request_timeout,
     {408, kInvalid, "request_timeout", "request-timeout", false,
      "The request did not arrive in time."}},
    {Trouble::body_too_large,
     {413, kInvalid, "body_too_large", "body-too-large", false, "The body is too large."}},
    {Trouble::target_too_long,
     {414, kInvalid, "target_too_long", "target-too-long", false,
      "The request target is too long."}},
    {Trouble::expectation,
     {417, kInvalid, "expectation_failed", "bad-request", false, "Unknown expectation."}},
    {Trouble::head_too_large,
     {431, kInvalid, "head_too_large", "head-too-large", false, "The request head is too large."}},
    {Trouble::queue_full,
     {429, "rate_limit_error", "queue_full", "queue-full", true,
      "Too many requests are waiting for this model."}},
    {Trouble::tenant_queue_full,
     {429, "rate_limit_error", "tenant_queue_full", "tenant-queue-full", true,
      "Too many of your requests are waiting."}},
    {Trouble::predicted_wait,
     {429, "rate_limit_error", "predicted_wait", "predicted-wait", true,
      "A new session would have to wait longer than the limit."}},
    {Trouble::displaced,
     {429, "rate_limit_error", "displaced", "displaced", true,
      "The queue is full and running sessions go first. Please try again later."}},
    {Trouble::rate_limited,
     {429, "rate_limit_error", "rate_limit_exceeded", "rate-limit", true,
      "Your limit for a minute is used up."}},
    {Trouble::tenant_in_flight,
     {429, "rate_limit_error", "too_many_in_flight", "tenant-in-flight", true,
      "You have as many requests on their way as you may."}},
    {Trouble::too_many_connections,
     {503, "overloaded_error", "too_many_connections", "too-many-connections", true,
      "Too many connections."}},
    {Trouble::internal,
     {500, kServer, "internal_error", "internal-error", false, "The gateway failed."}},
    {Trouble::not_implemented,
     {501, kInvalid, "not_implemented", "not-implemented", false, "This is not served here."}},
    {Trouble::http_version,
     {505, kInvalid, "http_version", "bad-request", false,
      "Only HTTP/1.0 and HTTP/1.1 are spoken here."}},
    {Trouble::unreachable,
     {502, kServer, "bad_gateway", "attempts-exhausted", true,
      "No model server answered the request."}},
    {Trouble::upstream_died,
     {502, kServer, "upstream_died", "upstream-died", false,
      "The model server broke off its answer."}},
    {Trouble::bad_answer,
     {502, kServer, "bad_gateway", "bad-answer", false, "The model server answered nonsense."}},
    {Trouble::saturated,
     {503, "overloaded_error", "saturated", "saturated", true, "All model servers are full."}},
    {Trouble::no_endpoint,
     {503, kServer, "no_endpoint", "no-endpoint", true,
      "No model server is available for this model."}},
    {Trouble::models_unknown,
     {503, kServer, "models_unknown", "models-unknown", true,
      "No model server has said yet which models it serves."}},
    {Trouble::shutting_down,
     {503, kServer, "shutting_down", "shutting-down", true, "The gateway is shutting down."}},
    {Trouble::queue_timeout,
     {504, kServer, "queue_timeout", "queue-timeout", true,
      "The request waited too long for a model server."}},
    {Trouble::first_byte_timeout,
     {504, kServer, "first_byte_timeout", "first-byte-timeout", false,
      "The model server did not answer in time."}},
    {Trouble::stream_idle,
     {504, kServer, "stream_idle_timeout", "stream-idle-timeout", false,
      "The model server fell silent."}},
});

// Anthropic's error types follow from the status.
constexpr std::string_view anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 503:
    case 529:
      return "overloaded_error";
    case 504:
      return "timeout_error";
    default:
      return status < 500 ? "invalid_request_error" : "api_error";
  }
}

void append_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json_string(out, text);
  }
}

}  // namespace

const TroubleFacts& facts_of(Trouble trouble) {
  for (const Row& row : kTable) {
    if (row.trouble == trouble) return row.facts;
  }
  assert(false && "a trouble without a row");
  std::unreachable();
}

Trouble trouble_of(core::RejectReason reason) {
  using enum core::RejectReason;
  switch (reason) {
    case queue_full:
      return Trouble::queue_full;
    case tenant_queue_full:
      return Trouble::tenant_queue_full;
    case predicted_wait:
      return Trouble::predicted_wait;
    case displaced:
      return Trouble::displaced;
    case queue_timeout:
      return Trouble::queue_timeout;
    case no_endpoint:
      return Trouble::no_endpoint;
    case unknown_model:
      return Trouble::unknown_model;
    case attempts_exhausted:
      return Trouble::unreachable;
    case saturated:
      return Trouble::saturated;
    case shutting_down:
      return Trouble::shutting_down;
  }
  return Trouble::internal;
}

Trouble trouble_of_head(int http_status) {
  switch (http_status) {
    case 413:
      return Trouble::body_too_large;
    case 414:
      return Trouble::target_too_long;
    case 417:
      return Trouble::expectation;
    case 431:
      return Trouble::head_too_large;
    case 501:
      return Trouble::not_implemented;
    case 505:
      return Trouble::http_version;
    default:
      return Trouble::bad_request;
  }
}

std::string error_body(Dialect dialect, int status, std::string_view type, std::string_view code,
                       std::string_view param, std::string_view message) {
  std::string out;
  if (dialect == Dialect::anthropic) {
    out += R"({"type":"error","error":{"type":)";
    append_json_string(out, anthropic_type(status));
    out += R"(,"message":)";
    append_json_string(out, message);
    out += "}}";
    return out;
  }
  out += R"({"error":{"message":)";
  append_json_string(out, message);
  out += R"(,"type":)";
  append_json_string(out, type);
  out += R"(,"param":)";
  append_or_null(out, param);
  out += R"(,"code":)";
  append_or_null(out, code);
  out += "}}";
  return out;
}

std::string error_body(Dialect dialect, Trouble trouble, std::string_view message,
                       std::string_view param) {
  const TroubleFacts& facts = facts_of(trouble);
  return error_body(dialect, facts.status, facts.type, facts.code, param,
                    message.empty() ? facts.message : message);
}

std::string error_event(Dialect dialect, Trouble trouble, std::string_view message) {
  if (dialect == Dialect::responses) {
    const TroubleFacts& facts = facts_of(trouble);
    std::string out = R"(event: error
data: {"type":"error","code":)";
    append_or_null(out, facts.code);
    out += R"(,"message":)";
    append_json_string(out, message.empty() ? facts.message : message);
    out += ",\"param\":null}\n\n";
    return out;
  }
  std::string out = dialect == Dialect::anthropic ? "event: error\ndata: " : "data: ";
  out += error_body(dialect, trouble, message);
  out += "\n\n";
  return out;
}

}  // namespace turnpike::openai
