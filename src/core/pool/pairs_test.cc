#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

namespace turnpike::core {
namespace {

constexpr std::int64_t kLong = 2000;
constexpr std::int64_t kShort = 1999;

PoolParams in_pairs(PoolParams params) {
  params.pairs.hand_over = HandOver::vllm_nixl;
  return params;
}

// Two in flight per endpoint, by the ledger alone.
class PairsTest : public testing::Test {
 protected:
  void add(unsigned id, Role role, std::uint32_t group = 0, std::vector<unsigned> models = {1},
           int slots = 0) {
    pools.pool.add_endpoint({.id = EndpointId(id),
                             .name = "e" + std::to_string(id),
                             .models = PoolUnderTest::ids(models),
                             .slots = slots,
                             .role = role,
                             .group = group},
                            pools.now);
    pools.look();
  }
  void remove(unsigned id) {
    pools.pool.remove_endpoint(EndpointId(id), pools.now);
    pools.look();
  }
  void submit(unsigned id, std::int64_t prompt, bool streaming = true) {
    pools.submit(id, {.prompt = prompt, .streaming = streaming});
  }
  // Who computes the prompt; 0: the endpoint that answers.
  unsigned prefill(unsigned id) const {
    const EndpointId at = pools.dispatch(id).prefill;
    return at.is_none() ? 0 : at.value();
  }
  std::size_t leases(unsigned id) const { return pools.endpoint_view(id).leases; }

  PoolUnderTest pools{in_pairs(with_limit(2))};
};

using Went = std::vector<unsigned>;

TEST_F(PairsTest, ALongPromptIsComputedByAPrefillEndpointAndAnsweredByADecodeEndpoint) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  EXPECT_EQ(pools.place(1), 2U);
  EXPECT_EQ(prefill(1), 1U);
  EXPECT_EQ(pools.dispatch(1).hand_over, HandOver::vllm_nixl);
  EXPECT_EQ(pools.endpoint_view(1).role, Role::prefill);
  // Its context counts where it is answered, its backlog where it is computed.
  EXPECT_EQ(pools.endpoint_view(1).backlog_tokens, TokenCount(kLong));
  EXPECT_EQ(pools.endpoint_view(1).running_tokens, TokenCount(0));
  EXPECT_EQ(pools.endpoint_view(2).backlog_tokens, TokenCount(0));
  EXPECT_EQ(pools.endpoint_view(2).running_tokens, TokenCount(kLong));
}

TEST_F(PairsTest, AShortPromptIsComputedWhereItIsAnswered) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kShort);
  EXPECT_EQ(pools.place(1), 2U);
  EXPECT_EQ(prefill(1), 0U);
  EXPECT_EQ(pools.dispatch(1).hand_over, HandOver::none);
  EXPECT_EQ(leases(1), 0U);
}

TEST_F(PairsTest, ALongPromptWhoseBeginningIsCachedIsComputedWhereItIsAnswered) {
  add(1, Role::prefill);
  add(2, Role::decode);
  pools.submit(1, {.session = 5, .prompt = 3000});
  EXPECT_EQ(prefill(1), 1U);
  pools.settle(1);
  pools.submit(2, {.session = 5, .prompt = 3000 + kShort});
  EXPECT_EQ(prefill(2), 0U);
  pools.settle(2);
  pools.submit(3, {.session = 5, .prompt = 3000 + kShort + kLong});
  EXPECT_EQ(prefill(3), 1U);
}

TEST_F(PairsTest, NothingIsPlacedOnAPrefillEndpoint) {
  add(1, Role::prefill);
  submit(1, 10);
  EXPECT_EQ(pools.went(), Went{});
  add(2, Role::both);
  EXPECT_EQ(pools.went(), Went{1});
  EXPECT_EQ(pools.place(1), 2U);
}

TEST_F(PairsTest, AnEndpointForBothComputesItsPromptsItself) {
  add(1, Role::prefill);
  add(2, Role::both);
  submit(1, kLong);
  EXPECT_EQ(pools.place(1), 2U);
  EXPECT_EQ(prefill(1), 0U);
}

TEST_F(PairsTest, WithoutAPrefillEndpointOfItsGroupThatServesTheModelItIsAPlainEndpoint) {
  add(1, Role::prefill, 7);
  add(2, Role::prefill, 0, {2});
  add(3, Role::decode, 0, {1, 2});
  submit(1, kLong);
  EXPECT_EQ(pools.place(1), 3U);
  EXPECT_EQ(prefill(1), 0U);
}

TEST_F(PairsTest, WithoutADispatchablePrefillEndpointItIsAPlainEndpoint) {
  add(1, Role::prefill);
  add(2, Role::decode);
  pools.pool.set_healthy(EndpointId(1), false, pools.now);
  submit(1, kLong);
  EXPECT_EQ(pools.place(1), 2U);
  EXPECT_EQ(prefill(1), 0U);
}

TEST_F(PairsTest, WithoutAWayToHandOverThePromptIsComputedWhereItIsAnswered) {
  pools.pool.set_policy(with_limit(2), pools.now);
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  EXPECT_EQ(pools.place(1), 2U);
  EXPECT_EQ(prefill(1), 0U);
}

TEST_F(PairsTest, TheLeastBacklogComputesTheNextPrompt) {
  add(1, Role::prefill);
  add(2, Role::prefill);
  add(3, Role::decode);
  add(4, Role::decode);
  submit(1, 9000);
  submit(2, 2500);
  EXPECT_NE(prefill(1), prefill(2));
  submit(3, kLong);
  EXPECT_EQ(prefill(3), prefill(2));
}

TEST_F(PairsTest, BothLeasesOrNone) {
  add(1, Role::prefill, 0, {1}, 1);
  add(2, Role::decode);
  add(3, Role::decode);
  submit(1, kLong);
  submit(2, kLong);
  submit(3, kShort);  // needs no prefill endpoint, and so passes
  EXPECT_EQ(pools.went(), (Went{1, 3}));
  EXPECT_EQ(leases(1), 1U);
  EXPECT_EQ(leases(2) + leases(3), 2U);
  pools.first_token(1);
  EXPECT_EQ(pools.went(), Went{2});
  EXPECT_EQ(prefill(2), 1U);
  EXPECT_EQ(leases(1), 1U);
}

TEST_F(PairsTest, NoPrefillLeaseWithoutRoomToAnswer) {
  add(1, Role::prefill);
  add(2, Role::decode);
  for (const unsigned id : {1U, 2U, 3U}) {
    submit(id, kLong);
    pools.first_token(id);
  }
  EXPECT_EQ(pools.went(), (Went{1, 2}));
  EXPECT_EQ(leases(1), 0U);
  pools.settle(1);
  EXPECT_EQ(pools.went(), Went{3});
  EXPECT_EQ(leases(1), 1U);
}

TEST_F(PairsTest, AnEndpointForBothTakesWhatCannotBeHandedOver) {
  add(1, Role::prefill, 0, {1}, 1);
  add(2, Role::decode);
  submit(1, kLong);
  add(3, Role::both);
  submit(2, kLong);
  EXPECT_EQ(pools.place(2), 3U);
  EXPECT_EQ(prefill(2), 0U);
}

TEST_F(PairsTest, TheFirstTokenGivesThePrefillLeaseBackOnce) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  pools.first_token(1);
  EXPECT_EQ(leases(1), 0U);
  EXPECT_EQ(leases(2), 1U);
  pools.first_token(1);
  pools.settle(1);
  EXPECT_EQ(leases(1), 0U);
  EXPECT_EQ(leases(2), 0U);
}

TEST_F(PairsTest, EveryEndingGivesBothLeasesBack) {
  add(1, Role::prefill);
  add(2, Role::decode);
  unsigned id = 0;
  for (const Ending ending : {Ending::finished, Ending::failed, Ending::cancelled}) {
    submit(++id, kLong);
    EXPECT_EQ(leases(1), 1U);
    pools.settle(id, ending);
    EXPECT_EQ(leases(1), 0U);
    EXPECT_EQ(leases(2), 0U);
    EXPECT_EQ(pools.endpoint_view(1).backlog_tokens, TokenCount(0));
  }
}

TEST_F(PairsTest, AnAssumedFirstTokenMakesRoomForTheNextPrompt) {
  add(1, Role::prefill, 0, {1}, 1);
  add(2, Role::decode);
  submit(1, kLong, false);
  submit(2, kLong);
  EXPECT_EQ(pools.went(), Went{1});
  pools.pass(seconds(1));  // 2000 tokens at 0.1 ms take 0.2 s
  EXPECT_EQ(pools.went(), Went{2});
  EXPECT_EQ(leases(1), 1U);
}

TEST_F(PairsTest, AFailureRetriesThePair) {
  add(1, Role::prefill);
  add(2, Role::prefill);
  add(3, Role::decode);
  add(4, Role::decode);
  submit(1, kLong);
  const unsigned first_prefill = prefill(1);
  const unsigned first_place = pools.place(1);
  pools.failed(1, FailureKind::died);
  EXPECT_EQ(pools.dispatch(1).attempt, 2);
  EXPECT_NE(pools.place(1), first_place);
  EXPECT_NE(prefill(1), first_prefill);
  EXPECT_NE(prefill(1), 0U);
  EXPECT_EQ(leases(first_prefill), 0U);
  EXPECT_EQ(leases(first_place), 0U);
  EXPECT_EQ(leases(1) + leases(2), 1U);
}

TEST_F(PairsTest, ARetryTakesTheSamePrefillEndpointIfThereIsNoOther) {
  add(1, Role::prefill, 0, {1}, 1);
  add(2, Role::decode);
  add(3, Role::decode);
  submit(1, kLong);
  pools.failed(1, FailureKind::died);
  EXPECT_EQ(pools.dispatch(1).attempt, 2);
  EXPECT_EQ(prefill(1), 1U);
  EXPECT_EQ(leases(1), 1U);
}

TEST_F(PairsTest, APrefillEndpointThatFailsIsBlamedItself) {
  PoolParams params = in_pairs(with_limit(2));
  params.breaker.failures = 1;
  pools.pool = Pool(params);
  add(1, Role::prefill);
  add(2, Role::prefill);
  add(3, Role::decode);
  submit(1, kLong);
  const unsigned ill = prefill(1);
  pools.pool.failed(RequestId(1), FailureKind::died, pools.now, FailedPart::prompt);
  pools.look();
  EXPECT_EQ(pools.place(1), 3U) << "the one that answers was not tried in vain";
  EXPECT_EQ(prefill(1), 3 - ill);
  EXPECT_EQ(leases(ill), 0U);
  EXPECT_EQ(leases(3), 1U);
  EXPECT_EQ(pools.endpoint_view(ill).breaker, BreakerState::open);
  EXPECT_EQ(pools.endpoint_view(3).breaker, BreakerState::closed);
  // One prompt probes it, and closes its breaker.
  remove(3 - ill);
  pools.pass(seconds(1));
  submit(2, kLong);
  EXPECT_EQ(prefill(2), ill);
  EXPECT_EQ(pools.endpoint_view(ill).breaker, BreakerState::half_open);
  pools.first_token(2);
  EXPECT_EQ(pools.endpoint_view(ill).breaker, BreakerState::closed);
}

TEST_F(PairsTest, APrefillEndpointThatIsFullGetsNothingForAWhile) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  pools.pool.failed(RequestId(1), FailureKind::saturated, pools.now, FailedPart::prompt);
  pools.look();
  EXPECT_EQ(pools.turned_away().size(), 1U) << "full, and nobody else";
  EXPECT_EQ(leases(1) + leases(2), 0U);
  pools.forget();
  submit(2, kLong);
  EXPECT_EQ(pools.went(), Went{});
  pools.pass(seconds(1));
  EXPECT_EQ(pools.went(), Went{2});
}

TEST_F(PairsTest, ThePrefillEndpointIsRemovedInMidFlight) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  remove(1);
  EXPECT_TRUE(pools.endpoint_view(1).removed);
  submit(2, kLong);  // computed where it is answered: nobody else could
  EXPECT_EQ(prefill(2), 0U);
  pools.first_token(1);
  EXPECT_EQ(pools.pool.endpoints(pools.now).size(), 1U);
  pools.settle(1);
  pools.settle(2);
  EXPECT_EQ(leases(2), 0U);
}

TEST_F(PairsTest, TheRemovalOfTheLastPrefillEndpointLetsGoWhatWaitedForIt) {
  add(1, Role::prefill, 0, {1}, 1);
  add(2, Role::decode);
  submit(1, kLong);
  submit(2, kLong);
  EXPECT_EQ(pools.went(), Went{1});
  remove(1);
  EXPECT_EQ(pools.went(), Went{2});
  EXPECT_EQ(prefill(2), 0U);
}

TEST_F(PairsTest, ThePoolEndsWhileLeasesAreHeld) {
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  pools.pool = Pool(with_limit(1));
  EXPECT_EQ(pools.view().leases, 0U);
}

TEST_F(PairsTest, AnotherPoolIsTakenInWithItsPairs) {
  Pool other(in_pairs(with_limit(2)));
  add(1, Role::prefill);
  add(2, Role::decode);
  submit(1, kLong);
  std::swap(other, pools.pool);
  pools.pool.absorb(std::move(other), pools.now);
  pools.look();
  EXPECT_EQ(leases(1), 1U);
  pools.first_token(1);
  EXPECT_EQ(leases(1), 0U);
  pools.settle(1);
  EXPECT_EQ(leases(2), 0U);
}

// Under resident-set a turn whose context is cached goes although no prompt can be handed over now.
TEST(PairsUnderResidentSet, ATurnWithItsContextCachedNeedsNoPrefillEndpoint) {
  PoolUnderTest pools(in_pairs(*preset("resident-set")));
  pools.pool.add_endpoint({.id = EndpointId(1),
                           .name = "prefill",
                           .models = PoolUnderTest::ids({1}),
                           .slots = 1,
                           .role = Role::prefill},
                          pools.now);
  pools.pool.add_endpoint({.id = EndpointId(2),
                           .name = "decode",
                           .models = PoolUnderTest::ids({1}),
                           .role = Role::decode},
                          pools.now);
  pools.submit(1, {.session = 5, .prompt = 3000});
  EXPECT_EQ(pools.dispatch(1).prefill, EndpointId(1));
  pools.settle(1);
  pools.submit(2, {.session = 6, .prompt = 3000});
  pools.forget();
  pools.submit(3, {.session = 7, .prompt = 3000});
  pools.submit(4, {.session = 5, .prompt = 3500});
  EXPECT_EQ(pools.went(), Went{4});
  EXPECT_TRUE(pools.dispatch(4).prefill.is_none());
  pools.first_token(2);
  EXPECT_EQ(pools.went(), Went{3});
  EXPECT_EQ(pools.dispatch(3).prefill, EndpointId(1));
}

}  // namespace
}  // namespace turnpike::core
