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
constexpr auto kKnown = std::to_array<KnownHeader>({
    {"x-claude-code-session-id", "x-claude-code-agent-id"},
    {"x-opencode-session", ""},
    {"x-session-affinity", ""},
    {"x-dynamo-session-id", ""},
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
    case BodySession::metadata_session_id:
      return "metadata.session_id";
    case BodySession::session_id:
      return "session_id";
    case BodySession::conversation_id:
      return "conversation_id";
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

}  // namespace

std::optional<SessionId> find_session(const http::RequestHead& head, const BodyFacts& body,
                                      const SessionRules& rules) {
  for (const std::string& name : rules.headers) {
    const std::string_view id = id_in(head, name);
    if (!id.empty()) return SessionId{id, {}, SessionSource::configured_header, name, false};
  }
  if (rules.well_known_headers && std::ranges::any_of(head.fields, [](const http::Field& f) {
        return may_name_session(f.name);
      })) {
    for (const KnownHeader& known : kKnown) {
      const std::string_view id = id_in(head, known.name);
      if (id.empty()) continue;
      const std::string_view child =
          known.child.empty() ? std::string_view() : id_in(head, known.child);
      return SessionId{id, child, SessionSource::known_header, known.name, false};
    }
    for (const http::Field& field : head.fields) {
      if (is_other_session_header(field.name) && is_id(field.value)) {
        return SessionId{field.value, {}, SessionSource::other_header, field.name, false};
      }
    }
    const std::string_view id = id_in(head, kCorrelation);
    if (!id.empty()) return SessionId{id, {}, SessionSource::known_header, kCorrelation, true};
  }
  if (rules.body_fields && is_id(body.session)) {
    return SessionId{body.session,
                     {},
                     SessionSource::body,
                     field_name(body.session_field),
                     body.session_field == BodySession::prompt_cache_key};
  }
  return std::nullopt;
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
  const http::Field* const key = head.find("x-api-key");
  if (key != nullptr && !key->value.empty()) return {tenant_key('k', key->value, seed), false};
  if (!body.user.empty()) return {tenant_key('u', body.user, seed), false};
  return {tenant_key('a', {}, seed), true};
}

SessionKey session_key(const SessionId& session, TenantKey tenant, std::string_view model,
                       HashSeed seed) {
  std::uint64_t hash = hash_bytes(session.id, seed.value);
  hash = chain_hash(hash, hash_bytes(session.child, seed.value));
  hash = chain_hash(hash, hash_bytes(model, seed.value));
  return key_of<SessionKey>(chain_hash(hash, tenant.value()));
}

}  // namespace turnpike::openai
