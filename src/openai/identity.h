#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "http/head.h"
#include "openai/body.h"

namespace turnpike::openai {

// Where a session id was found.
enum class SessionSource : std::uint8_t { configured_header, known_header, other_header, body };

struct SessionId {
  std::string_view
      id;  // 1..256 bytes without control characters; into the head or the body's facts
  std::string_view child;  // a sub-agent of that session, with a history of its own; may be empty
  SessionSource source = SessionSource::configured_header;
  std::string_view name;  // of the header or field
  // Some send one such id per request or one per application: it is a session only once a second request bears it.
  bool doubtful = false;
};

struct SessionRules {
  std::vector<std::string> headers = {"x-session-id"};  // tried first, in this order
  bool well_known_headers = true;  // then those of known clients and any x-*-session-id
  bool body_fields = true;         // then the body
  bool prompt = true;              // then the conversation that the prompt continues
};

inline constexpr std::size_t kMaxSessionId = 256;

// The one function that reads an id. First match wins: the configured headers, the headers that real clients send, any other
// x-*-session-id, the body. An id that is empty, too long or holds control characters counts as absent.
std::optional<SessionId> find_session(const http::RequestHead& head, const BodyFacts& body,
                                      const SessionRules& rules);

// Keys every hash below, so that what is logged cannot be reversed by trying ids. One per process, or per cluster.
struct HashSeed {
  std::uint64_t value = 0;
};

struct Tenant {
  TenantKey key;
  bool anonymous = true;
};
// Who pays: the API key (Authorization: Bearer, x-api-key), else `user`, else anonymous.
Tenant find_tenant(const http::RequestHead& head, const BodyFacts& body, HashSeed seed);

// Sessions of different tenants or models never meet, whatever id they use. `model`: the name that the pool knows it by.
SessionKey session_key(const SessionId& session, TenantKey tenant, std::string_view model,
                       HashSeed seed);

}  // namespace turnpike::openai
