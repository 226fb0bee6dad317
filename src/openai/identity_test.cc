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
                       const BodyFacts& body = {}, std::string_view target = "/") {
  http::RequestHead head = head_of(fields);
  head.target = target;
  const auto session = find_session(head, body, rules);
  if (!session) return "none";
  return session->id + (session->child.empty() ? "" : "/" + session->child) +
         (session->parent.empty() ? "" : " from " + session->parent) +
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

using Kind = SessionSource::Kind;

TEST(FindSession, AnotherConfiguredHeaderIsHonoured) {
  const SessionRules rules{
      .sources = {{Kind::header, "Chat"}, {Kind::header, "Other"}, {Kind::clients, {}}}};
  EXPECT_EQ(session_of("other: b\r\nCHAT: a\r\n", rules), "a");
  EXPECT_EQ(session_of("other: b\r\n", rules), "b");
  EXPECT_EQ(session_of("x-session-id: c\r\n", rules), "c") << "still a session's id by its name";
}

TEST(FindSession, SourcesAreTriedInTheirOrder) {
  SessionRules rules{.sources = {{Kind::query, "chat"},
                                 {Kind::cookie, "sid"},
                                 {Kind::jwt, "sid"},
                                 {Kind::body, "metadata.thread"},
                                 {Kind::header, "x-a"}}};
  BodyFacts body;
  EXPECT_EQ(session_of("x-a: a\r\n", rules, body), "a");
  body.fields = {{"metadata.thread", "b"}};
  EXPECT_EQ(session_of("x-a: a\r\n", rules, body), "b");
  // {"sub":"u","sid":"j-1"}
  const std::string token = "Authorization: Bearer x.eyJzdWIiOiJ1Iiwic2lkIjoiai0xIn0.y\r\n";
  EXPECT_EQ(session_of(token + "x-a: a\r\n", rules, body), "j-1");
  EXPECT_EQ(session_of("x-api-key: k\r\n" + token, rules, body), "j-1");
  EXPECT_EQ(session_of("Cookie: a=b; sid=\"c\"; d=e\r\n" + token, rules, body), "c");
  EXPECT_EQ(session_of("Cookie: sid=c\r\n", rules, body, "/?a=b&chat=q%201"), "q 1");
  rules.sources = {{Kind::body, "metadata.thread"}, {Kind::query, "chat"}};
  EXPECT_EQ(session_of("", rules, body, "/?chat=q"), "b");
}

TEST(FindSession, WhatIsNoTokenHasNoClaim) {
  const SessionRules rules{.sources = {{Kind::jwt, "sid"}}};
  for (const std::string token :
       {"Bearer abc", "Basic a.b.c", "Bearer a.!!.c", "Bearer ..", "Bearer a.e30.c",
        "Bearer a.eyJzaWQiOjF9.c", "Bearer a.eyJzaWQi.c"})
    EXPECT_EQ(session_of("Authorization: " + token + "\r\n", rules), "none") << token;
}

TEST(FindSession, ThePromptStandsWhereTheListPutsIt) {
  const SessionRules rules{
      .sources = {{Kind::header, "x-a"}, {Kind::prompt, {}}, {Kind::header, "x-b"}}};
  EXPECT_EQ(session_of("x-b: b\r\n", rules), "none");
  const auto behind = find_session(head_of("x-b: b\r\n"), {}, rules, Sources::behind_prompt);
  ASSERT_TRUE(behind);
  EXPECT_EQ(behind->id, "b");
  EXPECT_EQ(behind->from, "header:x-b");
  EXPECT_TRUE(may_ask_prompt(head_of("x-b: b\r\n"), rules));
  EXPECT_FALSE(may_ask_prompt(head_of("x-a: a\r\n"), rules));
  EXPECT_FALSE(may_ask_prompt(head_of(""), {.sources = {{Kind::clients, {}}}}));
}

TEST(FindSession, ParentsAndChildren) {
  EXPECT_EQ(session_of("x-dynamo-session-id: a\r\nx-dynamo-parent-session-id: p\r\n"), "a from p");
  EXPECT_EQ(session_of("x-dynamo-session-id: a\r\nx-dynamo-parent-session-id: a\r\n"), "a");
  EXPECT_EQ(session_of("session-id: a\r\nthread-id: a\r\n"), "a") << "the main thread";
  EXPECT_TRUE(ends_session(head_of("x-dynamo-session-final: True\r\n")));
  EXPECT_FALSE(ends_session(head_of("x-dynamo-session-final: false\r\n")));
  const SessionId child{.id = "a", .child = "c", .parent = {}, .from = {}};
  const SessionId sibling{.id = "b", .child = {}, .parent = "a", .from = {}};
  const SessionId a{.id = "a", .child = {}, .parent = {}, .from = {}};
  const SessionKey key = session_key(a, TenantKey(1), "m", {1});
  EXPECT_EQ(parent_key(child, TenantKey(1), "m", {1}), key);
  EXPECT_EQ(parent_key(sibling, TenantKey(1), "m", {1}), key);
  EXPECT_TRUE(parent_key(a, TenantKey(1), "m", {1}).is_none());
}

TEST(SessionSource, IsWrittenAsItIsConfigured) {
  EXPECT_EQ(*parse_session_source("header:X-A"), (SessionSource{Kind::header, "X-A"}));
  EXPECT_EQ(*parse_session_source("body:a.b"), (SessionSource{Kind::body, "a.b"}));
  EXPECT_EQ(*parse_session_source("prompt"), (SessionSource{Kind::prompt, ""}));
  for (const std::string text : {"", "header:", "headers:", "other:x", "prompt:x"})
    EXPECT_FALSE(parse_session_source(text)) << text;
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
  const SessionId a{.id = "a", .child = {}, .parent = {}, .from = {}};
  const SessionId a_child{.id = "a", .child = "c", .parent = {}, .from = {}};
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
