#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "http/head.h"
#include "openai/body.h"
#include "openai/session_source.h"

namespace turnpike::openai {

struct SessionId {
  std::string id;      // 1..256 bytes without control characters
  std::string child;   // a sub-agent of that session, with a history of its own; may be empty
  std::string parent;  // the session that it says it comes from; may be empty
  std::string from;    // where it was found, as a source is written: "header:x-session-id"
  // Some send one such id per request or one per application: it is a session only once a second request bears it.
  bool doubtful = false;
};

// The sources in the order in which they are tried; the first that has an id wins.
struct SessionRules {
  std::vector<SessionSource> sources = {{SessionSource::Kind::header, "x-session-id"},
                                        {SessionSource::Kind::clients, {}},
                                        {SessionSource::Kind::body_fields, {}},
                                        {SessionSource::Kind::prompt, {}}};

  [[nodiscard]] bool uses_prompt() const;
  // The fields that BodyScanner must look for.
  [[nodiscard]] std::vector<std::string> body_fields() const;
};

inline constexpr std::size_t kMaxSessionId = 256;

// The sources that stand before `prompt` in the list, and those behind it.
enum class Sources : std::uint8_t { before_prompt, behind_prompt };

// The one function that reads an id. An id that is empty, too long or holds control characters counts as absent.
std::optional<SessionId> find_session(const http::RequestHead& head, const BodyFacts& body,
                                      const SessionRules& rules,
                                      Sources which = Sources::before_prompt);

// Whether the prompt will be asked, as far as the head tells: if it names a session, messages need not be read.
bool may_ask_prompt(const http::RequestHead& head, const SessionRules& rules);

// The client says that this is the last request of its session.
bool ends_session(const http::RequestHead& head);

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
// One who is known by name.
Tenant named_tenant(std::string_view name, HashSeed seed);

// The key of the session, or of the one it comes from: its parent, or the session of which it is a child; none if there is none.
// Sessions of different tenants or models never meet, whatever id they use. `model`: the name that the pool knows it by.
SessionKey session_key(const SessionId& session, TenantKey tenant, std::string_view model,
                       HashSeed seed);
SessionKey parent_key(const SessionId& session, TenantKey tenant, std::string_view model,
                      HashSeed seed);

}  // namespace turnpike::openai
