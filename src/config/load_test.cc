#include "config/load.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace turnpike::config {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Loaded load_text(std::string text) {
  return load({.file = FileText{"t.yaml", std::move(text)}, .environment = {}, .flags = {}});
}
Loaded load_variables(std::vector<std::pair<std::string, std::string>> variables) {
  return load({.file = std::nullopt, .environment = std::move(variables), .flags = {}});
}

TEST(Load, NothingIsTheDefaults) {
  const Loaded loaded = load({});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.listen, "127.0.0.1:8080");
  EXPECT_EQ(loaded.config.pool, *core::preset("resident-set"));
  EXPECT_THAT(loaded.origins, IsEmpty());
}

TEST(Load, ReadsEveryKindOfValue) {
  const Loaded loaded = load_text(R"(
listen: "[::1]:80"
workers: 3
speed: 2.5
policy: kthena-pr
response_headers: false
backends:
  - http://10.0.0.1:8000/
  - {url: "http://engine-2:8000/base", name: two, models: [a, b], slots: 64, capacity: 500000, api_key: sk-1}
session: {headers: [X-Chat, X-Session-ID], sources: ["query:chat", prompt]}
limits: {body: 1MiB, queued_requests: 7}
timeouts: {connect: 250ms, queue: off, first_byte: 1m30s}
access_log: {format: json, output: /var/log/t.log}
expert:
  boost: {ttl: 0s, among: completion}
  placement: {scorers: {prefix: 2, least-request: 1}}
)");
  ASSERT_THAT(loaded.errors, IsEmpty());
  const Config& c = loaded.config;
  EXPECT_EQ(c.listen, "[::1]:80");
  EXPECT_EQ(c.workers, 3);
  EXPECT_EQ(c.speed, 2.5);
  EXPECT_FALSE(c.response_headers);
  ASSERT_EQ(c.backends.size(), 2U);
  EXPECT_EQ(c.backends[0], (Backend{.url = "http://10.0.0.1:8000", .name = "10.0.0.1:8000"}));
  EXPECT_EQ(c.backends[1], (Backend{.url = "http://engine-2:8000/base",
                                    .name = "two",
                                    .models = {"a", "b"},
                                    .slots = 64,
                                    .capacity = TokenCount(500'000),
                                    .api_key = "sk-1"}));
  EXPECT_THAT(c.session.headers, ElementsAre("X-Chat", "X-Session-ID"));
  EXPECT_EQ(c.limits.body, ByteCount(1 << 20));
  EXPECT_EQ(c.pool.limits.max_requests, 7U);
  EXPECT_EQ(c.timeouts.connect, milliseconds(250));
  EXPECT_EQ(c.pool.waits.queue_timeout, kForever);
  EXPECT_EQ(c.timeouts.first_byte, seconds(90));
  EXPECT_EQ(c.access_log.format, AccessLogFormat::json);
  EXPECT_EQ(c.pool.policy, "kthena-pr");
  EXPECT_EQ(c.pool.order.boost.among, core::BoostedFirst::completion);
  EXPECT_EQ(c.pool.order.boost.ttl, Duration(0));
  EXPECT_THAT(c.pool.placement.scorers,
              ElementsAre(core::WeightedScorer{core::Scorer::prefix, 2},
                          core::WeightedScorer{core::Scorer::least_request, 1}));
}

TEST(Load, WhatIsNotSetStaysThePresets) {
  const Loaded loaded = load_text("policy: kthena-pr\nexpert: {admission: {limit: 5}}\n");
  core::PoolParams expected = *core::preset("kthena-pr");
  expected.admission.limit = 5;
  EXPECT_EQ(loaded.config.pool, expected);
}

TEST(Load, APresetFromAFlagIsTheGroundForTheFilesOverrides) {
  const Loaded loaded =
      load({.file = FileText{"t.yaml", "policy: session-boost\nexpert: {admission: {limit: 5}}\n"},
            .environment = {},
            .flags = {{"policy", {"kthena-pr"}, "--policy"}}});
  EXPECT_EQ(loaded.config.pool.order.boost.among, core::BoostedFirst::fifo);
  EXPECT_EQ(loaded.config.pool.admission.limit, 5);
}

TEST(Load, TheScrapeIntervalReachesThePool) {
  EXPECT_EQ(load_text("gauges: {interval: 250ms}\n").config.pool.admission.scrape_interval,
            milliseconds(250));
}

TEST(Load, FlagsWinOverTheEnvironmentWhichWinsOverTheFile) {
  const Loaded loaded = load({.file = FileText{"t.yaml", "listen: a:1\nadmin: a:2\nworkers: 1\n"},
                              .environment = {{"TURNPIKE_ADMIN", "b:2"}, {"TURNPIKE_WORKERS", "2"}},
                              .flags = {{"workers", {"3"}, "--workers"}}});
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.listen, "a:1");
  EXPECT_EQ(loaded.config.admin, "b:2");
  EXPECT_EQ(loaded.config.workers, 3);
  EXPECT_EQ(loaded.origins.at("listen"), "t.yaml:1");
  EXPECT_EQ(loaded.origins.at("admin"), "$TURNPIKE_ADMIN");
  EXPECT_EQ(loaded.origins.at("workers"), "--workers");
}

TEST(Load, AListOnTheCommandLineReplacesTheFiles) {
  const Loaded loaded =
      load({.file = FileText{"t.yaml", "backends: [http://a:1]\nsession: {headers: [X-A]}\n"},
            .environment = {},
            .flags = {{"backends", {"http://b:1", "http://c:1"}, "--backend"},
                      {"session.headers", {"X-B"}, "--session-header"}}});
  ASSERT_THAT(loaded.errors, IsEmpty());
  ASSERT_EQ(loaded.config.backends.size(), 2U);
  EXPECT_EQ(loaded.config.backends[1].name, "c:1");
  EXPECT_THAT(loaded.config.session.headers, ElementsAre("X-B"));
}

struct BadFile {
  const char* text;
  const char* error;
};

TEST(Load, MistakesNamePlaceKeyAndWhatWasMeant) {
  for (const auto& [text, error] : std::initializer_list<BadFile>{
           {"listn: x\n", "t.yaml:1:1: listn: unknown key; did you mean 'listen'?"},
           {"\ntimeouts:\n  conect: 1s\n",
            "t.yaml:3:3: timeouts.conect: unknown key; did you mean 'connect'?"},
           {"listen: a:1\nlisten: b:1\n", "t.yaml:2:1: listen: key is given twice"},
           {"# c\nlisten: [1, 2]\n", "t.yaml:2:9: listen: must be a single value, not a list"},
           {"listen: {a: b}\n", "t.yaml:1:9: listen: must be a single value, not a mapping"},
           {"listen:\n", "t.yaml:1:1: listen: must be a single value, not nothing"},
           {"listen: a:99999\n", "t.yaml:1:9: listen: 'a:99999' has no port of 0 to 65535"},
           {"listen: nowhere\n", "t.yaml:1:9: listen: 'nowhere' is not an address:port"},
           {"limits: 5\n", "t.yaml:1:9: limits: must be a mapping, not a single value"},
           {"workers: -1\n", "t.yaml:1:10: workers: '-1' is too small"},
           {"workers: 1025\n", "t.yaml:1:10: workers: '1025' is too large"},
           {"workers: 1.5\n", "t.yaml:1:10: workers: '1.5' is not a whole number"},
           {"workers: \"2\"\n", "t.yaml:1:10: workers: must not be in quotes"},
           {"timeouts: {head: 30}\n",
            "'30' has no unit; write 30s for seconds or 30ms for milliseconds"},
           {"timeouts: {head: off}\n", "timeouts.head: 'off' is too large"},
           {"timeouts: {head: 0s}\n", "timeouts.head: '0s' is too small"},
           {"limits: {body: lots}\n", "'lots' is not a size such as"},
           {"limits: {body: 0}\n", "limits.body: '0' is too small"},
           {"policy: session-bost\n", "did you mean 'session-boost'?"},
           {"access_log: {format: xml}\n", "'xml' is none of off, text, json"},
           {"response_headers: yes\n", "'yes' is neither true nor false"},
           {"session: {headers: [\"X Y\"]}\n",
            "t.yaml:1:21: session.headers: 'X Y' is not the name of a header"},
           {"session: {headers: [[a]]}\n", "session.headers: must be a list of texts"},
           {"backends: [ftp://x]\n",
            "t.yaml:1:12: backends[0]: 'ftp://x' does not begin with http://"},
           {"backends: [{url: http://a:0}]\n",
            "t.yaml:1:18: backends[0].url: 'http://a:0' has no port of 1 to 65535"},
           {"backends: [{url: http://a:1, labels: [gpu]}]\n", "'gpu' is not of the form key=value"},
           {"backends: [{url: http://a:1, labels: [a=1, b=1, c=1, d=1, e=1]}]\n",
            "backends[0].labels: an endpoint has at most 4 labels"},
           {"backends: [{name: x}]\n", "t.yaml:1:12: backends[0]: has no 'url'"},
           {"backends: [{url: http://a:1, slot: 3}]\n",
            "backends[0].slot: unknown key; did you mean 'slots'?"},
           {"backends: [http://a:1, http://a:1]\n",
            "t.yaml:1:24: backends[1].name: two backends are called 'a:1'"},
           {"listen: a:1\nadmin: a:1\n", "t.yaml:2:8: admin: must differ from 'listen'"},
           {"policy: sticky\nexpert: {grace: {period: 1s}}\n",
            "t.yaml:2:26: expert.grace.period: a slot can be held only"},
           {"policy: resident-set\nexpert: {grace: {period: 1s}}\n",
            "t.yaml:2:26: expert.grace.period: resident-set holds no slots"},
           {"policy: resident-set\nexpert: {admission: {pool_limit: 3}}\n",
            "t.yaml:2:34: expert.admission.pool_limit: resident-set shares out tokens"},
           {"policy: half\nexpert: {grace: {period: 1s}}\n",
            "t.yaml:2:26: expert.grace.period: a slot can be held only"},
           {"expert: {placement: {scorers: {lest-request: 1}}}\n", "did you mean 'least-request'?"},
           {"expert: {placement: {scorers: {prefix: -1}}}\n", "'prefix=-1' has no positive weight"},
           {"listen: {\n", "t.yaml:2:1: not YAML: "},
           {"\tlisten: x\n", "t.yaml:1:8: not YAML: "},
           {"a: b\n---\nc: d\n", "a second document"},
           {",", "a second document"},
           {"- a\n", "t.yaml:1:1: must be a mapping, not a list"},
           {"? [a]\n: b\n", "a key must be a single word"},
       }) {
    const Loaded loaded = load_text(text);
    ASSERT_FALSE(loaded.ok()) << text;
    EXPECT_THAT(loaded.errors.front(), HasSubstr(error)) << text;
  }
}

TEST(Load, ReportsAllMistakes) {
  EXPECT_THAT(load_text("listn: x\nworkers: many\nadmin: y\n").errors,
              ElementsAre(StartsWith("t.yaml:1:1: listn"), StartsWith("t.yaml:2:10: workers"),
                          StartsWith("t.yaml:3:8: admin")));
}

TEST(Load, EmptyFilesAndEmptyGroupsAreFine) {
  EXPECT_THAT(load_text("").errors, IsEmpty());
  EXPECT_THAT(load_text("# nothing\n").errors, IsEmpty());
  EXPECT_THAT(load_text("limits:\ntimeouts: {}\n").errors, IsEmpty());
}

TEST(Load, AFileAtTheLimitIsReadAndOneAboveIsNot) {
  std::string text = "listen: a:1\n#";
  text.resize(std::size_t{1} << 20U, ' ');
  EXPECT_THAT(load_text(text).errors, IsEmpty());
  EXPECT_THAT(load_text(text + ' ').errors, ElementsAre("t.yaml: the file is larger than 1 MiB"));
}

TEST(Load, JsonIsYaml) {
  const Loaded loaded =
      load_text(R"({"timeouts": {"queue": "500ms"}, "workers": 2, "response_headers": false})");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.pool.waits.queue_timeout, milliseconds(500));
}

TEST(Load, BadFlagsAndVariablesAreNamed) {
  const Loaded loaded =
      load({.file = std::nullopt,
            .environment = {{"TURNPIKE_TIMEOUTS_HEAD", "30"}},
            .flags = {{"listen", {"nowhere"}, "--listen"}, {"lisen", {"x"}, "--lisen"}}});
  EXPECT_THAT(loaded.errors,
              ElementsAre(StartsWith("$TURNPIKE_TIMEOUTS_HEAD: timeouts.head: '30' has no unit"),
                          StartsWith("--listen: listen: 'nowhere' is not"),
                          "--lisen: lisen: there is no such key"));
}

TEST(Load, NoKeyIsReadFromTwoVariablesOfOneName) {
  // Paths with dots and keys with underscores must not meet.
  const auto schema = nlohmann::json::parse(json_schema());
  EXPECT_TRUE(schema["properties"].contains("listen"));
  const Loaded loaded = load_variables(
      {{"TURNPIKE_EXPERT_BOOST_TTL", "5s"}, {"TURNPIKE_BACKENDS", "http://a:1,http://b:2"}});
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.pool.order.boost.ttl, seconds(5));
  EXPECT_EQ(loaded.config.backends.size(), 2U);
}

TEST(Load, TheGoalSetsAlphaUnlessThatIsSet) {
  const auto alpha = [](std::string text) {
    const Loaded loaded = load({.file = FileText{"t.yaml", std::move(text)}});
    EXPECT_TRUE(loaded.ok());
    EXPECT_THAT(loaded.warnings, testing::IsEmpty());
    return loaded.config.pool.resident.alpha;
  };
  EXPECT_EQ(alpha("policy: resident-set\n"), 30);
  EXPECT_EQ(alpha("policy: resident-set\ngoal: latency\n"), 10);
  EXPECT_EQ(alpha("policy: resident-set\ngoal: throughput\n"), 100);
  EXPECT_EQ(alpha("policy: resident-set\ngoal: latency\nexpert: {resident: {alpha: 7}}\n"), 7);
}

TEST(Load, MaxWaitOfNewSessions) {
  EXPECT_EQ(load({.file = FileText{"t.yaml", "policy: resident-set\nmax_wait: 30s\n"}})
                .config.pool.resident.max_wait,
            seconds(30));
  EXPECT_EQ(load({.file = FileText{"t.yaml", "policy: resident-set\nmax_wait: off\n"}})
                .config.pool.resident.max_wait,
            kForever);
}

TEST(Load, WhatThePolicyHasNoUseForIsSaid) {
  const auto warnings = [](std::string text) {
    return load({.file = FileText{"t.yaml", std::move(text)}}).warnings;
  };
  EXPECT_THAT(warnings("policy: fcfs\ngoal: latency\nmax_wait: 5s\n"),
              testing::ElementsAre("goal is set, but the policy fcfs has no use for it",
                                   "max_wait is set, but the policy fcfs has no use for it"));
  EXPECT_THAT(warnings("policy: resident-set\ngoal: latency\nexpert: {tenants: vtc}\n"),
              testing::IsEmpty());
}

TEST(Load, LevelsOfTheOrderCompose) {
  const Loaded loaded = load({.file = FileText{"t.yaml", R"(
policy: session-boost
expert:
  priority_classes: true
  tenants: vtc
  placement: {scorers: {prefix: 2, lmetric: 1}}
)"}});
  EXPECT_TRUE(loaded.ok());
  const core::OrderParams& order = loaded.config.pool.order;
  EXPECT_TRUE(order.priority_classes);
  EXPECT_EQ(order.tenants, core::TenantOrder::vtc);
  EXPECT_EQ(order.sessions, core::SessionOrder::session_boost);
  EXPECT_EQ(loaded.config.pool.placement.scorers.size(), 2U);
}

TEST(Load, ReadsWhatTlsNeeds) {
  const Loaded loaded = load_text(R"(
tls: {certificate: a.pem, key: a.key, client_certificates: required, client_ca: ca.pem}
backends:
  - url: https://engine:8443
    tls: {ca: engines.pem, server_name: engine.internal}
)");
  ASSERT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config.tls.certificate, "a.pem");
  EXPECT_EQ(loaded.config.tls.client_certificates, ClientCertificates::required);
  ASSERT_EQ(loaded.config.backends.size(), 1U);
  EXPECT_EQ(loaded.config.backends[0].name, "engine:8443");
  EXPECT_EQ(loaded.config.backends[0].tls,
            (BackendTls{.ca = "engines.pem", .server_name = "engine.internal"}));
  EXPECT_THAT(to_yaml(loaded), HasSubstr(R"("tls":{"ca":"engines.pem")"));
}

TEST(Load, WhatTlsLacksIsSaidWithItsKey) {
  const auto complains = [](const std::string& text, const std::string& wanted) {
    EXPECT_THAT(load_text(text).errors, testing::Contains(HasSubstr(wanted))) << text;
  };
  complains("tls: {certificate: a.pem}", "tls.certificate: needs its key");
  complains("tls: {key: a.key}", "tls.key: needs its certificate");
  complains("tls: {client_certificates: optional, client_ca: c}",
            "tls.client_certificates: needs TLS");
  complains("tls: {certificate: a, key: b, client_certificates: optional}",
            "needs 'tls.client_ca'");
  complains("tls: {certificate: a, key: b, client_ca: c}", "tls.client_ca: is of no use");
  complains("backends: [{url: 'http://a', tls: {ca: b}}]", "backends[0].tls: is of no use");
  complains("backends: [{url: 'https://a', tls: {key: b}}]",
            "backends[0].tls: a certificate and its key");
  complains("backends: [{url: 'https://a', tls: {ca: b, insecure: true}}]",
            "backends[0].tls.ca: is of no use");
  complains("backends: [{url: 'https://a', tls: {cert: b}}]", "unknown key");
}

}  // namespace
}  // namespace turnpike::config
