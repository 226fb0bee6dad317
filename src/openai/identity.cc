#include "openai/identity.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/hash_chain.h"

namespace turnpike::openai {

namespace {

// Headers that real clients send, in the order in which they are tried.
struct KnownHeader {
  std::string_view name;
  std::string_view child;  // the header of a sub-agent's own id
};
constexpr std::string_view kDynamoSession = "x-dynamo-session-id";
constexpr auto kKnown = std::to_array<KnownHeader>({
    {"x-claude-code-session-id", "x-claude-code-agent-id"},
    {"x-opencode-session", ""},
    {"x-session-affinity", ""},
    {kDynamoSession, ""},
    {"x-smg-routing-key", ""},
    {"x-aibrix-session-key", ""},
    {"x-openwebui-chat-id", ""},
    {"x-litellm-session-id", ""},
    {"x-kilocode-taskid", ""},
    {"x-amp-thread-id", ""},
    {"x-client-session-id", ""},
    {"x-interaction-id", ""},
    {"x-grok-conv-id", ""},
    {"session-id", "thread-id"},
    {"session_id", "thread_id"},
});
// Sent per session by load generators and per request by others, so anything surer goes first.
constexpr std::string_view kCorrelation = "x-correlation-id";
constexpr std::string_view kParentSession = "x-dynamo-parent-session-id";
constexpr std::string_view kFinal = "x-dynamo-session-final";

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxSessionId && std::ranges::none_of(id, [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return u < 0x20 || u == 0x7f;
  });
}

std::string_view id_in(const http::RequestHead& head, std::string_view name) {
  for (const http::Field& field : head.fields) {
    if (equals_ignoring_case(field.name, name) && is_id(field.value)) return field.value;
  }
  return {};
}

// Only fields whose name could be a session's are compared with the list: most heads have none.
bool may_name_session(std::string_view name) {
  const char first = name.empty() ? '\0' : ascii_lower(name.front());
  return first == 'x' || first == 's';
}

bool is_other_session_header(std::string_view name) {
  constexpr std::string_view kPrefix = "x-";
  constexpr std::string_view kSuffix = "-session-id";
  // They may share the dash: x-session-id itself, where another header is configured.
  return name.size() >= kPrefix.size() + kSuffix.size() - 1 &&
         equals_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) &&
         equals_ignoring_case(name.substr(name.size() - kSuffix.size()), kSuffix) &&
         !equals_ignoring_case(name, kParentSession);
}

std::string_view field_name(BodySession field) {
  switch (field) {
    case BodySession::none:
      return {};
    case BodySession::conversation:
      return "conversation";
    case BodySession::metadata_session_id:
      return "metadata.session_id";
    case BodySession::session_id:
      return "session_id";
    case BodySession::conversation_id:
      return "conversation_id";
    case BodySession::metadata_user_id:
      return "metadata.user_id";
    case BodySession::prompt_cache_key:
      return "prompt_cache_key";
  }
  return {};
}

template <typename Id>
Id key_of(std::uint64_t hash) {
  const Id id(hash);
  return id.is_none() ? Id(0) : id;  // none() is not a key
}

TenantKey tenant_key(char kind, std::string_view name, HashSeed seed) {
  return key_of<TenantKey>(
      hash_bytes(name, chain_hash(seed.value, static_cast<unsigned char>(kind))));
}

// An id in the headers of known clients.
std::optional<SessionId> find_client(const http::RequestHead& head) {
  if (std::ranges::none_of(head.fields,
                           [](const http::Field& f) { return may_name_session(f.name); }))
    return std::nullopt;
  const auto found = [](std::string_view id, std::string_view name) {
    return SessionId{
        .id = std::string(id), .child = {}, .parent = {}, .from = "header:" + to_lower(name)};
  };
  for (const KnownHeader& known : kKnown) {
    const std::string_view id = id_in(head, known.name);
    if (id.empty()) continue;
    SessionId session = found(id, known.name);
    // The main thread of a session may bear the session's own id.
    if (!known.child.empty() && id_in(head, known.child) != id)
      session.child = id_in(head, known.child);
    if (known.name == kDynamoSession && id_in(head, kParentSession) != id)
      session.parent = id_in(head, kParentSession);
    return session;
  }
  for (const http::Field& field : head.fields) {
    if (is_other_session_header(field.name) && is_id(field.value))
      return found(field.value, field.name);
  }
  const std::string_view id = id_in(head, kCorrelation);
  if (id.empty()) return std::nullopt;
  SessionId session = found(id, kCorrelation);
  session.doubtful = true;
  return session;
}

// What a source of the head says.
std::optional<SessionId> find_in_head(const http::RequestHead& head, const SessionSource& source) {
  using Kind = SessionSource::Kind;
  const auto made = [&source](std::string_view kind, std::string_view id) {
    return is_id(id) ? std::optional(SessionId{.id = std::string(id),
                                               .child = {},
                                               .parent = {},
                                               .from = std::string(kind) + source.name})
                     : std::nullopt;
  };
  switch (source.kind) {
    case Kind::header:
      return made("header:", id_in(head, source.name));
    case Kind::query:
      return made("query:", query_parameter(head.target, source.name));
    case Kind::cookie:
      for (const http::Field& field : head.fields) {
        if (!equals_ignoring_case(field.name, "cookie")) continue;
        if (auto found = made("cookie:", cookie_value(field.value, source.name))) return found;
      }
      return std::nullopt;
    case Kind::jwt:
      for (const http::Field& field : head.fields) {
        if (field.kind != http::FieldKind::authorization) continue;
        if (auto found = made("jwt:", jwt_claim(field.value, source.name))) return found;
      }
      return std::nullopt;
    case Kind::clients:
      return find_client(head);
    default:
      return std::nullopt;
  }
}

std::optional<SessionId> find_in_body(const BodyFacts& body, const SessionSource& source) {
  if (source.kind == SessionSource::Kind::body) {
    const auto found = std::ranges::find(body.fields, source.name, &NamedField::name);
    if (found == body.fields.end() || !is_id(found->value)) return std::nullopt;
    return SessionId{.id = found->value, .child = {}, .parent = {}, .from = "body:" + source.name};
  }
  if (source.kind != SessionSource::Kind::body_fields || !is_id(body.session)) return std::nullopt;
  return SessionId{.id = body.session,
                   .child = {},
                   .parent = {},
                   .from = "body:" + std::string(field_name(body.session_field)),
                   .doubtful = body.session_field == BodySession::prompt_cache_key};
}

}  // namespace

bool SessionRules::uses_prompt() const {
  return std::ranges::any_of(
      sources, [](const SessionSource& s) { return s.kind == SessionSource::Kind::prompt; });
}

std::vector<std::string> SessionRules::body_fields() const {
  std::vector<std::string> names;
  for (const SessionSource& source : sources) {
    if (source.kind == SessionSource::Kind::body) names.push_back(source.name);
  }
  return names;
}

std::optional<SessionId> find_session(const http::RequestHead& head, const BodyFacts& body,
                                      const SessionRules& rules, Sources which) {
  bool wanted = which == Sources::before_prompt;
  for (const SessionSource& source : rules.sources) {
    if (source.kind == SessionSource::Kind::prompt) {
      if (wanted) return std::nullopt;
      wanted = true;
      continue;
    }
    if (!wanted) continue;
    if (auto found = find_in_head(head, source)) return found;
    if (auto found = find_in_body(body, source)) return found;
  }
  return std::nullopt;
}

bool may_ask_prompt(const http::RequestHead& head, const SessionRules& rules) {
  for (const SessionSource& source : rules.sources) {
    if (source.kind == SessionSource::Kind::prompt) return true;
    if (find_in_head(head, source)) return false;
  }
  return false;
}

bool ends_session(const http::RequestHead& head) {
  const http::Field* const field = head.find(kFinal);
  return field != nullptr && equals_ignoring_case(field->value, "true");
}

Tenant find_tenant(const http::RequestHead& head, const BodyFacts& body, HashSeed seed) {
  for (const http::Field& field : head.fields) {
    if (field.kind == http::FieldKind::authorization) {
      constexpr std::string_view kBearer = "bearer ";
      std::string_view secret = field.value;
      if (secret.size() > kBearer.size() &&
          equals_ignoring_case(secret.substr(0, kBearer.size()), kBearer)) {
        secret = trim(secret.substr(kBearer.size()));
      }
      if (!secret.empty()) return {tenant_key('k', secret, seed), false};
    }
  }
  if (!body.user.empty()) return {tenant_key('u', body.user, seed), false};
  return {tenant_key('a', {}, seed), true};
}

Tenant named_tenant(std::string_view name, HashSeed seed) {
  return {tenant_key('n', name, seed), false};
}

SessionKey session_key(const SessionId& session, TenantKey tenant, std::string_view model,
                       HashSeed seed) {
  std::uint64_t hash = hash_bytes(session.id, seed.value);
  hash = chain_hash(hash, hash_bytes(session.child, seed.value));
  hash = chain_hash(hash, hash_bytes(model, seed.value));
  return key_of<SessionKey>(chain_hash(hash, tenant.value()));
}

SessionKey parent_key(const SessionId& session, TenantKey tenant, std::string_view model,
                      HashSeed seed) {
  const std::string& id = session.parent.empty() ? session.id : session.parent;
  if (session.parent.empty() && session.child.empty()) return {};
  return session_key({.id = id, .child = {}, .parent = {}, .from = {}}, tenant, model, seed);
}

}  // namespace turnpike::openai
