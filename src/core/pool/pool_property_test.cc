#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "core/pool/history_test_support.h"

namespace rc {

template <>
struct Arbitrary<turnpike::core::Step> {
  static Gen<turnpike::core::Step> arbitrary() {
    using turnpike::core::Step;
    return gen::build<Step>(
        gen::set(&Step::event), gen::set(&Step::choice),
        gen::set(&Step::pause_us, gen::oneOf(gen::just(0U), gen::inRange(0U, 400'000U))));
  }
};

}  // namespace rc

namespace turnpike::core {
namespace {

// Policies that differ in every mechanism the pool has.
std::vector<PoolParams> policies() {
  std::vector<PoolParams> all;
  for (const std::string_view name : preset_names()) all.push_back(*preset(name));

  PoolParams tight;
  tight.policy = "tight";
  tight.admission.limit = 2;
  tight.limits = {.max_requests = 20, .max_bytes = ByteCount(60'000), .max_tenant_requests = 8};
  tight.sessions.max_sessions = 8;
  tight.order.boost.max_sessions = 4;
  all.push_back(tight);

  PoolParams grace = tight;
  grace.policy = "grace";
  grace.admission.rule = AdmissionRule::inflight;
  grace.grace.period = std::chrono::milliseconds(300);
  all.push_back(grace);
  grace.policy = "shared grace";
  grace.grace.scope = GraceScope::boosted;
  all.push_back(grace);

  PoolParams unlimited;
  unlimited.policy = "gauges alone";
  unlimited.admission.limit = 0;
  unlimited.sessions.ttl = std::chrono::seconds(2);
  all.push_back(unlimited);

  PoolParams adaptive = tight;
  adaptive.policy = "adaptive";
  adaptive.admission = {.rule = AdmissionRule::adaptive, .limit = 0};
  all.push_back(adaptive);

  PoolParams patient = tight;
  patient.policy = "patient";
  patient.waits.queue_timeout = kForever;
  patient.admission.limit = 1;
  all.push_back(patient);

  using enum SessionOrder;
  for (const SessionOrder order : {critical_path, plas, las, turn_priority, wspt, deadline}) {
    PoolParams params = tight;
    params.policy = "order " + std::to_string(static_cast<int>(order));
    params.order.sessions = order;
    params.order.tenants = order == las ? TenantOrder::vtc : TenantOrder::none;
    params.order.priority_classes = order == wspt;
    params.waits.queue_timeout = kForever;
    all.push_back(params);
  }
  PoolParams residents = *preset("resident-set");
  residents.policy = "small residents";
  residents.resident.start_capacity = 5'000;
  residents.resident.alpha = 1;
  residents.resident.max_resident_turns = 3;
  residents.resident.max_wait = std::chrono::seconds(4);
  residents.limits.max_requests = 30;
  all.push_back(residents);
  residents.policy = "patient residents";
  residents.resident.max_wait = kForever;
  residents.waits.queue_timeout = kForever;
  all.push_back(residents);
  PoolParams few = tight;
  few.policy = "three at a time";
  few.admission.pool_limit = 3;
  all.push_back(few);
  PoolParams homes = *preset("half");
  homes.policy = "small homes";
  homes.admission.assumed_capacity = TokenCount(9'000);
  homes.limits.max_requests = 30;
  all.push_back(homes);
  homes.policy = "patient homes";
  homes.waits.queue_timeout = kForever;
  homes.order.tenants = TenantOrder::fair_share;
  homes.order.boost.max_overtakes = 3;
  homes.order.boost.unboosted_overtakes_factor = 2;
  all.push_back(homes);
  homes.policy = "small homes, counted in requests";
  homes.admission = {.rule = AdmissionRule::inflight, .limit = 2};
  homes.grace = {.period = std::chrono::milliseconds(300), .scope = GraceScope::boosted};
  all.push_back(homes);
  homes.policy = "tokens without homes";
  homes.placement.wait_for_home = false;
  homes.admission = {.rule = AdmissionRule::kv_share,
                     .limit = 3,
                     .kv_share = 0.5,
                     .assumed_capacity = TokenCount(9'000)};
  all.push_back(homes);
  PoolParams programs = *preset("program");
  programs.policy = "small programs";
  programs.admission.assumed_capacity = TokenCount(6'000);
  programs.limits.max_requests = 30;
  all.push_back(programs);
  programs.policy = "patient programs";
  programs.admission.limit = 3;
  programs.program.first_hold = std::chrono::seconds(1);
  programs.program.seconds_per_token = 0.01;
  programs.waits.queue_timeout = kForever;
  all.push_back(programs);
  PoolParams gate = *preset("kthena");
  gate.policy = "small gate";
  gate.admission.limit = 2;
  gate.waits.queue_timeout = kForever;
  gate.limits.max_requests = 30;
  all.push_back(gate);
  PoolParams rated = tight;
  rated.policy = "rate";
  rated.admission = {.rule = AdmissionRule::rate, .limit = 3, .rate = 5.0, .burst = 2};
  rated.waits.queue_timeout = kForever;
  all.push_back(rated);
  rated.policy = "rate of homes";
  rated.placement.wait_for_home = true;
  all.push_back(rated);
  PoolParams learned = tight;
  learned.policy = "automatic grace";
  learned.grace = {.period = std::chrono::seconds(3), .automatic = true};
  all.push_back(learned);
  PoolParams shares = tight;
  shares.policy = "fair share and boost";
  shares.order.tenants = TenantOrder::fair_share;
  shares.order.priority_classes = true;
  shares.order.fairness.window = std::chrono::seconds(3);
  all.push_back(shares);
  // Prompts handed over, under everything that decides who goes where.
  for (PoolParams params :
       {tight, grace, adaptive, *preset("resident-set"), homes, programs, shares}) {
    params.policy += ", in pairs";
    params.pairs = {.hand_over = HandOver::vllm_nixl, .remote_prefill_from = TokenCount(400)};
    all.push_back(params);
  }
  return all;
}

TEST(PoolProperties, InvariantsHoldAfterEveryEventOfEveryHistory) {
  for (const PoolParams& params : policies()) {
    SCOPED_TRACE(params.policy);
    const bool held = rc::check(params.policy, [&](const std::vector<Step>& steps) {
      History history(params);
      for (const Step& step : steps) history.play(step);
      history.finish();
      RC_ASSERT(history.fault() == "");
    });
    EXPECT_TRUE(held);
  }
}

// TURNPIKE_HISTORY_EVENTS sets the length; a million takes minutes.
TEST(PoolProperties, InvariantsHoldThroughALongHistory) {
  const char* const wanted = std::getenv("TURNPIKE_HISTORY_EVENTS");
  const int events = wanted == nullptr ? 2'000 : std::atoi(wanted);
  std::uint64_t seed = 1;
  for (const PoolParams& params : policies()) {
    History history(params);
    Random random(++seed);
    for (int i = 0; i < events && history.fault().empty(); ++i) history.play(random_step(random));
    history.finish();
    EXPECT_EQ(history.fault(), "") << params.policy;
    EXPECT_EQ(history.pairs() > 0, params.pairs.hand_over != HandOver::none) << params.policy;
    EXPECT_GT(history.dispatches(), static_cast<std::uint64_t>(events) / 10) << params.policy;
  }
}

// A decode endpoint without room for prefill takes short prompts only, while a boosted turn of any size may go to another's held slot:
// it waited. Seeds at which that came up.
TEST(PoolProperties, ABoostedTurnTakesAHeldSlotWhereOthersMustBeShort) {
  int played = 0;
  for (const PoolParams& params : policies()) {
    if (params.policy != "shared grace, in pairs") continue;
    for (const std::uint64_t seed : {3U, 7U, 201U}) {
      History history(params);
      Random random(seed);
      for (int i = 0; i < 20'000 && history.fault().empty(); ++i) history.play(random_step(random));
      history.finish();
      EXPECT_EQ(history.fault(), "") << seed;
      ++played;
    }
  }
  EXPECT_EQ(played, 3);
}

TEST(PoolProperties, TheSameEventsGiveTheSameDecisions) {
  for (const PoolParams& params : policies()) {
    std::uint64_t digests[2];
    for (std::uint64_t& digest : digests) {
      History history(params);
      Random random(42);
      for (int i = 0; i < 2'000; ++i) history.play(random_step(random));
      digest = history.digest();
    }
    EXPECT_EQ(digests[0], digests[1]) << params.policy;
    EXPECT_NE(digests[0], 0U);
  }
}

}  // namespace
}  // namespace turnpike::core
