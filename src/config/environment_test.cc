#include "config/environment.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace turnpike::config {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Variables = std::vector<std::pair<std::string, std::string>>;

Loaded load_variables(Variables variables, std::string file = "") {
  return load({.file = FileText{"t.yaml", std::move(file)},
               .environment = std::move(variables),
               .flags = {}});
}

TEST(Environment, EveryKeyHasAVariableOfItsOwn) {
  Config config;
  std::set<std::string> names;
  for (const Key& key : describe(config)) {
    EXPECT_TRUE(names.insert(variable_of(key.path)).second) << key.path;
  }
  EXPECT_TRUE(names.contains("TURNPIKE_LIMITS_BODY"));
}

TEST(Environment, EveryKeyTakesItsOwnDefaultFromItsVariable) {
  Config config = load({}).config;
  config.backends = {{.url = "http://a:1", .name = "a:1"}};
  Variables variables;
  for (const Key& key : describe(config))
    variables.emplace_back(variable_of(key.path), value_text(key));
  const Loaded loaded = load_variables(variables);
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_EQ(loaded.config, config);
}

// With the switch that it needs, and no complaints.
Config boosted(Variables variables) {
  variables.emplace_back("ENABLE_SESSION_BOOST", "true");
  const Loaded loaded = load_variables(std::move(variables));
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  return loaded.config;
}

TEST(Environment, EnableSessionBoostTakesThePlaceOfTheDefault) {
  for (const char* on : {"1", "t", "T", "TRUE", "true", "True"}) {
    const Loaded loaded = load_variables({{"ENABLE_SESSION_BOOST", on}});
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_EQ(loaded.config.policy, "session-boost") << on;
  }
  for (const char* off : {"0", "f", "F", "FALSE", "false", "False"}) {
    EXPECT_EQ(load_variables({{"ENABLE_SESSION_BOOST", off}}).config.policy, Config().policy)
        << off;
  }
}

TEST(Environment, SessionBoostHeaderIsTheOnlySourceOfIdsAndNeedsNoSwitch) {
  const Loaded loaded = load_variables({{"SESSION_BOOST_HEADER", "X-Chat"}});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_THAT(loaded.config.session.headers, ElementsAre("X-Chat"));
}

TEST(Environment, SessionBoostTtlOfZeroOrLessLeavesTheNumberOfSessionsAsTheOnlyBound) {
  EXPECT_EQ(boosted({}).pool.order.boost.ttl, seconds(60));
  EXPECT_EQ(boosted({{"SESSION_BOOST_TTL", "90s"}}).pool.order.boost.ttl, seconds(90));
  EXPECT_EQ(boosted({{"SESSION_BOOST_TTL", "0"}}).pool.order.boost.ttl, seconds(0));
  EXPECT_EQ(boosted({{"SESSION_BOOST_TTL", "-5s"}}).pool.order.boost.ttl, seconds(0));
}

TEST(Environment, SessionBoostMaxSessions) {
  EXPECT_EQ(boosted({}).pool.order.boost.max_sessions, 4096U);
  EXPECT_EQ(boosted({{"SESSION_BOOST_MAX_SESSIONS", "77"}}).pool.order.boost.max_sessions, 77U);
}

TEST(Environment, SessionBoostGracePeriodOfZeroOrLessIsOff) {
  EXPECT_EQ(boosted({}).pool.grace.period, seconds(0));
  EXPECT_EQ(boosted({{"SESSION_BOOST_GRACE_PERIOD", "50ms"}}).pool.grace.period, milliseconds(50));
  EXPECT_EQ(boosted({{"SESSION_BOOST_GRACE_PERIOD", "-1s"}}).pool.grace.period, seconds(0));
}

TEST(Environment, SessionBoostPollIntervalIsAcceptedAndSaidToBeUnused) {
  const Loaded loaded = load_variables({{"SESSION_BOOST_POLL_INTERVAL", "10ms"}});
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("there is no polling")));
}

TEST(Environment, SessionBoostInflightPerPodIsTheLimitOfAnEndpoint) {
  EXPECT_EQ(boosted({}).pool.admission.limit, 16);
  EXPECT_EQ(boosted({{"SESSION_BOOST_INFLIGHT_PER_POD", "5"}}).pool.admission.limit, 5);
  EXPECT_EQ(boosted({{"SESSION_BOOST_INFLIGHT_PER_POD", "0"}}).pool.admission.limit, 0);
}

TEST(Environment, SessionBoostTimeoutOfZeroOrLessIsOff) {
  EXPECT_EQ(boosted({}).pool.waits.queue_timeout, seconds(30));
  EXPECT_EQ(boosted({{"SESSION_BOOST_TIMEOUT", "1m30s"}}).pool.waits.queue_timeout, seconds(90));
  for (const char* off : {"0", "0s", "-1s"}) {
    EXPECT_EQ(boosted({{"SESSION_BOOST_TIMEOUT", off}}).pool.waits.queue_timeout, kForever) << off;
  }
}

TEST(Environment, MetricsScrapeIntervalNeedsNoSwitch) {
  EXPECT_EQ(load_variables({}).config.gauges.interval, seconds(1));
  const Loaded loaded = load_variables({{"METRICS_SCRAPE_INTERVAL", "500ms"}});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_EQ(loaded.config.gauges.interval, milliseconds(500));
}

AccessLogFormat log_format(Variables variables) {
  const Loaded loaded = load_variables(std::move(variables), "access_log: { format: json }\n");
  EXPECT_THAT(loaded.errors, IsEmpty());
  return loaded.config.access_log.format;
}

TEST(Environment, AccessLogEnabledIsText) {
  EXPECT_EQ(log_format({{"ACCESS_LOG_ENABLED", "TRUE"}}), AccessLogFormat::text);
  EXPECT_EQ(log_format({{"ACCESS_LOG_ENABLED", "false"}}), AccessLogFormat::off);
  EXPECT_EQ(log_format({}), AccessLogFormat::json);
}

TEST(Environment, AccessLogFormatCountsWhereTheLogIsEnabled) {
  EXPECT_EQ(log_format({{"ACCESS_LOG_ENABLED", "1"}, {"ACCESS_LOG_FORMAT", "json"}}),
            AccessLogFormat::json);
  EXPECT_EQ(log_format({{"ACCESS_LOG_ENABLED", "1"}, {"ACCESS_LOG_FORMAT", "text"}}),
            AccessLogFormat::text);
  EXPECT_EQ(log_format({{"ACCESS_LOG_ENABLED", "0"}, {"ACCESS_LOG_FORMAT", "text"}}),
            AccessLogFormat::off);
}

TEST(Environment, AccessLogOutput) {
  EXPECT_EQ(load_variables({{"ACCESS_LOG_OUTPUT", "stderr"}}).config.access_log.output, "stderr");
}

TEST(Environment, EnablingBoostKeepsAPolicyThatBoosts) {
  EXPECT_EQ(load_variables({{"ENABLE_SESSION_BOOST", "true"}}, "policy: kthena-pr\n").config.policy,
            "kthena-pr");
  EXPECT_EQ(load_variables({{"ENABLE_SESSION_BOOST", "true"}}, "policy: sticky\n").config.policy,
            "session-boost");
  EXPECT_EQ(load_variables({{"ENABLE_SESSION_BOOST", "false"}}, "policy: sticky\n").config.policy,
            "sticky");
}

using core::SessionOrder;
using core::TenantOrder;

TEST(Environment, FairnessAloneTakesThePlaceOfTheDefault) {
  const Loaded loaded = load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "true"}});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_EQ(loaded.config.policy, "fair-share");
  EXPECT_EQ(loaded.config.pool.order.tenants, TenantOrder::fair_share);
  EXPECT_EQ(loaded.config.pool.order.sessions, SessionOrder::fcfs);
  EXPECT_EQ(loaded.config.pool.waits.queue_timeout, seconds(60));
}

TEST(Environment, FairnessJoinsTheNamedPolicy) {
  const Loaded loaded = load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "1"}}, "policy: las\n");
  EXPECT_EQ(loaded.config.policy, "las");
  EXPECT_EQ(loaded.config.pool.order.tenants, TenantOrder::fair_share);
  EXPECT_EQ(loaded.config.pool.order.sessions, SessionOrder::las);
  EXPECT_EQ(
      load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "1"}, {"TURNPIKE_POLICY", "las"}}).config.pool,
      loaded.config.pool);
}

TEST(Environment, FairnessAndBoostTogetherDoBoth) {
  const Loaded loaded = load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "true"},
                                        {"ENABLE_SESSION_BOOST", "true"},
                                        {"FAIRNESS_QUEUE_TIMEOUT", "90s"}});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_EQ(loaded.config.policy, "session-boost");
  EXPECT_EQ(loaded.config.pool.order.tenants, TenantOrder::fair_share);
  EXPECT_EQ(loaded.config.pool.order.sessions, SessionOrder::session_boost);
  EXPECT_EQ(loaded.config.pool.waits.queue_timeout, seconds(90));
}

TEST(Environment, OfTwoTimeOutsSessionBoostsWins) {
  for (const bool boost_first : {true, false}) {
    Variables variables = {{"ENABLE_FAIRNESS_SCHEDULING", "true"},
                           {"ENABLE_SESSION_BOOST", "true"}};
    variables.emplace_back(boost_first ? "SESSION_BOOST_TIMEOUT" : "FAIRNESS_QUEUE_TIMEOUT",
                           boost_first ? "5s" : "90s");
    variables.emplace_back(boost_first ? "FAIRNESS_QUEUE_TIMEOUT" : "SESSION_BOOST_TIMEOUT",
                           boost_first ? "90s" : "5s");
    EXPECT_EQ(load_variables(variables).config.pool.waits.queue_timeout, seconds(5));
  }
  // Without boosted sessions it means nothing.
  EXPECT_EQ(load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "true"},
                            {"FAIRNESS_QUEUE_TIMEOUT", "90s"},
                            {"SESSION_BOOST_TIMEOUT", "5s"}})
                .config.pool.waits.queue_timeout,
            seconds(90));
}

core::FairnessParams fairness(Variables variables) {
  variables.emplace_back("ENABLE_FAIRNESS_SCHEDULING", "true");
  const Loaded loaded = load_variables(std::move(variables));
  EXPECT_THAT(loaded.errors, IsEmpty());
  EXPECT_THAT(loaded.warnings, IsEmpty());
  return loaded.config.pool.order.fairness;
}

TEST(Environment, FairnessQueueTimeoutOfZeroOrLessIsOff) {
  EXPECT_EQ(load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "1"}, {"FAIRNESS_QUEUE_TIMEOUT", "0"}})
                .config.pool.waits.queue_timeout,
            kForever);
}

TEST(Environment, FairnessWindowSize) {
  EXPECT_EQ(fairness({{"FAIRNESS_WINDOW_SIZE", "1h"}}).window, std::chrono::hours(1));
}

TEST(Environment, FairnessInputTokenWeight) {
  EXPECT_DOUBLE_EQ(fairness({{"FAIRNESS_INPUT_TOKEN_WEIGHT", "0.5"}}).input_weight, 0.5);
}

TEST(Environment, FairnessOutputTokenWeight) {
  EXPECT_DOUBLE_EQ(fairness({{"FAIRNESS_OUTPUT_TOKEN_WEIGHT", "3"}}).output_weight, 3);
}

TEST(Environment, FairnessPriorityTokenWeightScalesBothTokenWeights) {
  const core::FairnessParams both =
      fairness({{"FAIRNESS_PRIORITY_TOKEN_WEIGHT", "2"}, {"FAIRNESS_INPUT_TOKEN_WEIGHT", "0.5"}});
  EXPECT_DOUBLE_EQ(both.input_weight, 1);
  EXPECT_DOUBLE_EQ(both.output_weight, 4);
  EXPECT_DOUBLE_EQ(fairness({{"FAIRNESS_PRIORITY_TOKEN_WEIGHT", "0"}}).output_weight, 0);
}

TEST(Environment, FairnessPriorityRequestNumWeight) {
  EXPECT_DOUBLE_EQ(fairness({{"FAIRNESS_PRIORITY_REQUEST_NUM_WEIGHT", "100"}}).request_weight, 100);
}

TEST(Environment, FairnessMaxConcurrentIsALimitOfThePool) {
  const auto limit = [](std::string value) {
    const Loaded loaded = load_variables(
        {{"ENABLE_FAIRNESS_SCHEDULING", "true"}, {"FAIRNESS_MAX_CONCURRENT", std::move(value)}});
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_THAT(loaded.warnings, IsEmpty());
    return loaded.config.pool.admission.pool_limit;
  };
  EXPECT_EQ(limit("8"), 8);
  EXPECT_EQ(limit("0"), 0);
  EXPECT_EQ(limit("-1"), 0);
  EXPECT_THAT(load_variables({{"FAIRNESS_MAX_CONCURRENT", "8"}}).warnings,
              ElementsAre(HasSubstr("tenants do not share fairly; unused")));
  EXPECT_THAT(
      load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "true"}, {"FAIRNESS_MAX_CONCURRENT", "8"}},
                     "policy: resident-set\n")
          .errors,
      ElementsAre(HasSubstr("resident-set shares out tokens, not requests")));
}

TEST(Environment, FairnessMaxQpsIsARateOfDispatches) {
  const auto admission = [](std::string value) {
    const Loaded loaded = load_variables(
        {{"ENABLE_FAIRNESS_SCHEDULING", "true"}, {"FAIRNESS_MAX_QPS", std::move(value)}});
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_THAT(loaded.warnings, IsEmpty());
    return loaded.config.pool.admission;
  };
  EXPECT_EQ(admission("2.5").rule, core::AdmissionRule::rate);
  EXPECT_DOUBLE_EQ(admission("2.5").rate, 2.5);
  EXPECT_EQ(admission("0").rule, core::AdmissionRule::backpressure);
  EXPECT_EQ(admission("-1").rule, core::AdmissionRule::backpressure);
}

TEST(Environment, OurOwnVariableWinsOverTheAncestors) {
  EXPECT_EQ(load_variables({{"SESSION_BOOST_TTL", "1s"}, {"TURNPIKE_EXPERT_BOOST_TTL", "2s"}})
                .config.pool.order.boost.ttl,
            seconds(2));
}

TEST(Environment, WhatIsAcceptedWithoutEffectIsSaid) {
  EXPECT_THAT(load_variables({{"SESSION_BOOST_TTL", "1s"}}, "policy: sticky\n").warnings,
              ElementsAre(HasSubstr("does not boost sessions; unused")));
  EXPECT_THAT(load_variables({{"ACCESS_LOG_FORMAT", "json"}}).warnings,
              ElementsAre(HasSubstr("set without ACCESS_LOG_ENABLED; unused")));
  EXPECT_THAT(load_variables({{"FAIRNESS_WINDOW_SIZE", "5m"}}).warnings,
              ElementsAre(HasSubstr("tenants do not share fairly; unused")));
  for (const char* name : {"FAIRNESS_PRIORITY_REFRESH_RETRIES", "FAIRNESS_REBUILD_THRESHOLD"}) {
    EXPECT_THAT(load_variables({{name, "3"}}).warnings,
                ElementsAre(HasSubstr("keys are always live here")));
  }
  EXPECT_THAT(
      load_variables({{"ENABLE_FAIRNESS_SCHEDULING", "f"}}, "policy: fair-share\n").warnings,
      ElementsAre(HasSubstr("leaves the policy at fair-share")));
  EXPECT_THAT(
      load_variables({{"ENABLE_SESSION_BOOST", "false"}}, "policy: session-boost\n").warnings,
      ElementsAre(HasSubstr("leaves the policy at session-boost")));
  EXPECT_THAT(load_variables({{"SESSION_BOOST_TTL", "1s"}}).warnings,
              ElementsAre(HasSubstr("does not boost sessions; unused")))
      << "not without its switch";
}

TEST(Environment, UnknownNamesAreWarnedAboutWithTheNearest) {
  EXPECT_THAT(
      load_variables({{"SESSION_BOOST_HEADR", "X"}}).warnings,
      ElementsAre("SESSION_BOOST_HEADR is not a setting; did you mean SESSION_BOOST_HEADER?"));
  EXPECT_THAT(
      load_variables({{"TURNPIKE_LIMIT_BODY", "1"}}).warnings,
      ElementsAre("TURNPIKE_LIMIT_BODY is not a setting; did you mean TURNPIKE_LIMITS_BODY?"));
  EXPECT_THAT(load_variables({{"ACESS_LOG_ENABLED", "1"}}).warnings,
              Contains(HasSubstr("ACCESS_LOG_ENABLED")));
  EXPECT_THAT(load_variables({{"PATH", "/bin"}, {"GCC_COLORS_ENABLED", "1"}}).warnings, IsEmpty());
}

TEST(Environment, ImpossibleValuesAreErrorsThatNameTheVariable) {
  EXPECT_THAT(load_variables({{"ENABLE_SESSION_BOOST", "yes"}}).errors,
              ElementsAre("$ENABLE_SESSION_BOOST: 'yes' is neither true nor false"));
  const std::pair<std::string, std::string> on{"ENABLE_SESSION_BOOST", "true"};
  EXPECT_THAT(load_variables({on, {"SESSION_BOOST_TTL", "60"}}).errors,
              ElementsAre(HasSubstr("$SESSION_BOOST_TTL: '60' has no unit")));
  EXPECT_THAT(
      load_variables({on, {"SESSION_BOOST_INFLIGHT_PER_POD", "many"}}).errors,
      ElementsAre(HasSubstr("$SESSION_BOOST_INFLIGHT_PER_POD: expert.admission.limit: 'many'")));
}

}  // namespace
}  // namespace turnpike::config
