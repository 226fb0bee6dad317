#include "config/config.h"

namespace turnpike::config {
namespace {

// Every key whose default is the preset's, beside the parameter that it overrides.
template <typename Visit>
void for_each_override(Config& config, core::PoolParams& params, Visit&& visit) {
  LimitConfig& limits = config.limits;
  visit(limits.queued_requests, params.limits.max_requests);
  visit(limits.queued_bytes, params.limits.max_bytes);
  visit(limits.tenant_queued_requests, params.limits.max_tenant_requests);
  visit(limits.tenant_queued_bytes, params.limits.max_tenant_bytes);
  visit(limits.bound_anonymous, params.limits.bound_anonymous);
  visit(limits.sessions, params.sessions.max_sessions);
  visit(limits.session_ttl, params.sessions.ttl);

  visit(config.timeouts.queue, params.waits.queue_timeout);
  visit(config.timeouts.no_endpoint_wait, params.waits.no_endpoint_wait);

  RetryConfig& retries = config.retries;
  visit(retries.more_attempts, params.retry.more_attempts);
  visit(retries.budget_share, params.retry.budget_share);
  visit(retries.budget_minimum, params.retry.budget_minimum);
  visit(retries.deadly, params.retry.deadly);
  visit(retries.remember_arrival, params.retry.remember_arrival);
  visit(retries.max_remembered, params.retry.max_remembered);

  BreakerConfig& breaker = config.health.breaker;
  visit(breaker.failures, params.breaker.failures);
  visit(breaker.open_time, params.breaker.open_time);
  visit(breaker.max_open_time, params.breaker.max_open_time);
  visit(breaker.panic_threshold, params.breaker.panic_threshold);

  ExpertConfig& expert = config.expert;
  visit(expert.order, params.order.sessions);
  visit(expert.boost.among, params.order.boost.among);
  visit(expert.boost.max_sessions, params.order.boost.max_sessions);
  visit(expert.boost.ttl, params.order.boost.ttl);
  visit(expert.boost.max_overtakes, params.order.boost.max_overtakes);
  visit(expert.boost.unboosted_overtakes_factor, params.order.boost.unboosted_overtakes_factor);
  visit(expert.admission.rule, params.admission.rule);
  visit(expert.admission.limit, params.admission.limit);
  visit(expert.admission.waiting_tolerance, params.admission.waiting_tolerance);
  visit(expert.admission.fallback_limit, params.admission.fallback_limit);
  visit(expert.grace.period, params.grace.period);
  visit(expert.grace.scope, params.grace.scope);
  visit(expert.placement.scorers, params.placement.scorers);
  visit(expert.placement.load_bound, params.placement.load_bound);
  visit(expert.placement.tie, params.placement.tie);
}

}  // namespace

core::PoolParams pool_params(const Config& config) {
  core::PoolParams params = core::preset(config.policy).value_or(core::PoolParams{});
  Config overrides = config;
  for_each_override(overrides, params, [](auto& override_value, auto& parameter) {
    if (override_value) parameter = *override_value;
  });
  params.admission.scrape_interval = config.gauges.interval;
  return params;
}

Config resolved(const Config& config) {
  Config full = config;
  core::PoolParams params = pool_params(config);
  for_each_override(full, params,
                    [](auto& override_value, auto& parameter) { override_value = parameter; });
  return full;
}

}  // namespace turnpike::config
