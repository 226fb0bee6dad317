#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_text.h"
#include "core/pool/events.h"
#include "openai/route.h"

namespace turnpike::openai {

// Everything the gateway itself may have to say no to.
enum class Trouble : std::uint8_t {
  bad_request,           // 400: malformed HTTP
  bad_body,              // 400: not JSON, no model, wrong type
  unauthorized,          // 401
  unknown_model,         // 404
  unknown_response,      // 404: nobody is known to hold what the request goes on from
  not_found,             // 404: no such path
  method_not_allowed,    // 405
  request_timeout,       // 408: the client did not send its request in time
  body_too_large,        // 413
  target_too_long,       // 414
  expectation,           // 417
  head_too_large,        // 431
  queue_full,            // 429
  tenant_queue_full,     // 429
  displaced,             // 429
  rate_limited,          // 429: the tenant's minute is used up
  tenant_in_flight,      // 429: he has as many requests on their way as he may
  predicted_wait,        // 429: a new session would wait too long
  too_many_connections,  // 503
  internal,              // 500
  not_implemented,       // 501
  http_version,          // 505
  unreachable,           // 502: no endpoint answered
  upstream_died,         // 502: in mid-stream, an event
  bad_answer,            // 502: an endpoint answered nonsense
  saturated,             // 503: all endpoints are full
  no_endpoint,           // 503
  models_unknown,        // 503: no endpoint has said yet what it serves
  shutting_down,         // 503
  queue_timeout,         // 504
  first_byte_timeout,    // 504
  stream_idle,           // 504: silence in mid-stream, an event
};

struct TroubleFacts {
  int status;
  std::string_view type;     // OpenAI's `error.type`
  std::string_view code;     // OpenAI's `error.code`
  std::string_view reason;   // x-turnpike-reason
  bool retry_after;          // the answer says when to come back
  std::string_view message;  // where nothing better is known
};
// The table of what a bad day looks like.
const TroubleFacts& facts_of(Trouble trouble);
// For a core rejection. attempts_exhausted and saturated are for when no endpoint's own answer can be passed on.
Trouble trouble_of(core::RejectReason reason);
// For the http_status of a refused request head.
Trouble trouble_of_head(int http_status);

// The body of an error answer in the dialect's shape. `message` empty: the trouble's own; `param` empty: null.
std::string error_body(Dialect dialect, Trouble trouble, std::string_view message = {},
                       std::string_view param = {});
// The same as the last event of a stream that has begun, with its blank line.
std::string error_event(Dialect dialect, Trouble trouble, std::string_view message = {});
// General form: any status, type and code (empty code: null).
std::string error_body(Dialect dialect, int status, std::string_view type, std::string_view code,
                       std::string_view param, std::string_view message);

using turnpike::append_json_string;

}  // namespace turnpike::openai
