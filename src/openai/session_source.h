#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace turnpike::openai {

// One place to look for a session's id.
struct SessionSource {
  enum class Kind : std::uint8_t {
    header,
    query,  // a parameter of the request target
    cookie,
    jwt,          // a claim of the bearer token, which is not verified here: ids authorise nothing
    body,         // a field of the top level, or FIELD.INNER
    clients,      // the headers of known clients, and any x-*-session-id
    body_fields,  // the fields of known clients
    prompt,       // the conversation that the prompt continues
  };
  Kind kind = Kind::header;
  std::string name;  // of the header, parameter, cookie, claim or field

  friend bool operator==(const SessionSource&, const SessionSource&) = default;
};

// `header:NAME`, `query:NAME`, `cookie:NAME`, `jwt:CLAIM`, `body:FIELD`; `headers`, `body` or `prompt`.
Expected<SessionSource> parse_session_source(std::string_view text);

// The value of a parameter of a request target, of a Cookie field, of a claim of the token in an Authorization field; empty if there
// is none. What is escaped in a query is unescaped.
std::string query_parameter(std::string_view target, std::string_view name);
std::string_view cookie_value(std::string_view cookies, std::string_view name);
std::string jwt_claim(std::string_view authorization, std::string_view claim);

}  // namespace turnpike::openai
