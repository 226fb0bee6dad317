#include "openai/identity.h"

#include <string>

#include <gtest/gtest.h>

namespace turnpike::openai {
namespace {

// A head with `fields`; the text must outlive it.
http::RequestHead head_of(const std::string& fields) {
  static std::string bytes;
  bytes = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\n" + fields + "\r\n";
  http::RequestHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(http::parse_request_head(bytes, scanned, {}, head).status, http::ParseStatus::complete)
      << fields;
  return head;
}

std::string session_of(const std::string& fields, const SessionRules& rules = {},
                       const BodyFacts& body = {}) {
  const http::RequestHead head = head_of(fields);
  const auto session = find_session(head, body, rules);
  if (!session) return "none";
  return std::string(session->id) +
         (session->child.empty() ? "" : "/" + std::string(session->child)) +
         (session->doubtful ? "?" : "");
}

TEST(FindSession, KnowsWhatRealClientsSend) {
  EXPECT_EQ(session_of("X-Session-ID: a\r\n"), "a");
  EXPECT_EQ(session_of("x-claude-code-session-id: a\r\nx-claude-code-agent-id: b\r\n"), "a/b");
  EXPECT_EQ(session_of("x-claude-code-session-id: a\r\n"), "a");
  for (const std::string name :
       {"x-opencode-session", "x-session-affinity", "x-dynamo-session-id", "x-smg-routing-key",
        "x-aibrix-session-key", "x-openwebui-chat-id", "x-litellm-session-id", "x-kilocode-taskid",
        "x-amp-thread-id", "x-client-session-id", "x-interaction-id", "x-grok-conv-id",
        "session-id", "session_id", "X-Acme-Session-Id"}) {
    EXPECT_EQ(session_of(name + ": a\r\n"), "a") << name;
  }
  EXPECT_EQ(session_of("session_id: a\r\nthread_id: t\r\n"), "a/t");
  EXPECT_EQ(session_of("x-correlation-id: a\r\n"), "a?");
}

TEST(FindSession, PerRequestIdsAreNoSessions) {
  EXPECT_EQ(session_of("x-request-id: a\r\ntraceparent: 00-a-b-01\r\n"), "none");
  EXPECT_EQ(session_of("x-dynamo-parent-session-id: a\r\n"), "none");
  EXPECT_EQ(session_of("x-session-id-hint: a\r\n"), "none");
}

TEST(FindSession, FirstMatchWins) {
  BodyFacts body;
  body.session = "body";
  body.session_field = BodySession::session_id;
  EXPECT_EQ(session_of("x-correlation-id: c\r\nx-foo-session-id: o\r\nx-opencode-session: "
                       "k\r\nx-session-id: s\r\n",
                       {}, body),
            "s");
  EXPECT_EQ(session_of("x-correlation-id: c\r\nx-foo-session-id: o\r\nx-opencode-session: k\r\n",
                       {}, body),
            "k");
  EXPECT_EQ(session_of("x-correlation-id: c\r\nx-foo-session-id: o\r\n", {}, body), "o");
  EXPECT_EQ(session_of("x-correlation-id: c\r\n", {}, body), "c?");
  EXPECT_EQ(session_of("", {}, body), "body");
  body.session_field = BodySession::prompt_cache_key;
  EXPECT_EQ(session_of("", {}, body), "body?");
}

TEST(FindSession, AnotherConfiguredHeaderIsHonoured) {
  const SessionRules rules{.headers = {"Chat", "Other"}};
  EXPECT_EQ(session_of("other: b\r\nCHAT: a\r\n", rules), "a");
  EXPECT_EQ(session_of("other: b\r\n", rules), "b");
  EXPECT_EQ(session_of("x-session-id: c\r\n", rules), "c") << "still a session's id by its name";
}

TEST(FindSession, OddIdsCountAsAbsent) {
  EXPECT_EQ(session_of("x-session-id:\r\n"), "none");
  EXPECT_EQ(session_of("x-session-id: a\tb\r\n"), "none");
  EXPECT_EQ(session_of("x-session-id: " + std::string(256, 'a') + "\r\n"), std::string(256, 'a'));
  EXPECT_EQ(session_of("x-session-id: " + std::string(257, 'a') + "\r\n"), "none");
  EXPECT_EQ(session_of("x-session-id: " + std::string(257, 'a') + "\r\nx-opencode-session: k\r\n"),
            "k");
  BodyFacts body;
  body.session = "a\nb";
  body.session_field = BodySession::session_id;
  EXPECT_EQ(session_of("", {}, body), "none");
}

TEST(SessionKey, IsScopedByTenantAndModel) {
  const SessionId a{.id = "a", .child = {}, .name = {}};
  const SessionId a_child{.id = "a", .child = "c", .name = {}};
  const HashSeed seed{1};
  const SessionKey key = session_key(a, TenantKey(1), "m", seed);
  EXPECT_EQ(key, session_key(a, TenantKey(1), "m", seed));
  EXPECT_NE(key, session_key(a, TenantKey(2), "m", seed));
  EXPECT_NE(key, session_key(a, TenantKey(1), "n", seed));
  EXPECT_NE(key, session_key(a_child, TenantKey(1), "m", seed));
  EXPECT_NE(key, session_key(a, TenantKey(1), "m", HashSeed{2}));
}

TEST(FindTenant, KeyThenUserThenAnonymous) {
  BodyFacts body;
  const HashSeed seed{7};
  const auto tenant = [&](const std::string& fields) {
    return find_tenant(head_of(fields), body, seed);
  };
  const Tenant nobody = tenant("");
  EXPECT_TRUE(nobody.anonymous);
  EXPECT_FALSE(nobody.key.is_none());
  body.user = "sk-1";
  const Tenant user = tenant("");
  EXPECT_FALSE(user.anonymous);
  const Tenant key = tenant("Authorization: Bearer sk-1\r\n");
  EXPECT_FALSE(key.anonymous);
  EXPECT_EQ(key.key, tenant("x-api-key: sk-1\r\n").key);
  EXPECT_EQ(key.key, tenant("authorization: bearer  sk-1\r\n").key);
  EXPECT_NE(key.key, user.key) << "a user may call himself like somebody's key";
  EXPECT_NE(key.key, tenant("Authorization: Bearer sk-2\r\n").key);
  EXPECT_NE(user.key, nobody.key);
}

}  // namespace
}  // namespace turnpike::openai
