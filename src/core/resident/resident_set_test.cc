#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"
#include "core/resident/cache_counters.h"

// The policy resident-set as a pool applies it. Endpoints hold 10 000 tokens here; the reserve is 512 until an answer says more.
namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

PoolParams residents() {
  PoolParams params = *preset("resident-set");
  params.resident.start_capacity = 10'000;
  params.resident.running_share = 1;
  return params;
}

Usage used(std::int64_t prompt, std::int64_t cached, std::int64_t output = 100) {
  return {.prompt_tokens = TokenCount(prompt),
          .cached_tokens = TokenCount(cached),
          .output_tokens = TokenCount(output)};
}

TEST(ResidentSet, WhatFitsGoesAndWhatDoesNotWaits) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 5000});
  pool.submit(2, {.session = 2, .prompt = 5000});
  EXPECT_THAT(pool.went(), ElementsAre(1)) << "twice 5512 is more than 10 000";
  pool.submit(3, {.session = 3, .prompt = 3000});
  EXPECT_THAT(pool.went(), ElementsAre(3)) << "a smaller one fits beside it";
  pool.settle(1, Ending::cancelled);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(ResidentSet, RunningRequestsLeaveAShareToContextsThatNobodyHoldsAPlaceFor) {
  PoolParams params = residents();
  params.resident.running_share = 0.65;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 7000});
  EXPECT_THAT(pool.went(), ElementsAre(1)) << "more than the share, but nothing else runs";
  pool.settle(1, Ending::cancelled);
  pool.forget();
  pool.submit(2, {.session = 2, .prompt = 4000});
  pool.submit(3, {.session = 3, .prompt = 2000});
  EXPECT_THAT(pool.went(), ElementsAre(2)) << "4512 + 2512 are more than 6500, not than 10 000";
  pool.submit(4, {.session = 4, .prompt = 1400});
  EXPECT_THAT(pool.went(), ElementsAre(4)) << "4512 + 1912 are not";
}

// A placement that looked at the 64 endpoints with most room looked at the same 64 for ever, where nothing ran for long.
TEST(ResidentSet, ACalmFleetIsUsedAsAWhole) {
  constexpr unsigned kEndpoints = 300;
  PoolUnderTest pool(residents());
  for (unsigned e = 1; e <= kEndpoints; ++e) pool.endpoint(e);
  std::set<unsigned> used_endpoints;
  for (unsigned i = 1; i <= 4 * kEndpoints; ++i) {
    pool.submit(i, {.session = i, .prompt = 100});
    used_endpoints.insert(pool.place(i));
    pool.settle(i, Ending::cancelled);
  }
  EXPECT_GT(used_endpoints.size(), kEndpoints * 9 / 10);
}

TEST(ResidentSet, AResidentsTurnWaitsForNobody) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 4000});
  pool.settle(1, Ending::finished, used(4000, 0));
  EXPECT_EQ(pool.pool.session(SessionKey(1), pool.now)->mode, SessionMode::acting);
  pool.submit(2, {.session = 2, .prompt = 7000});
  pool.forget();
  pool.pass(seconds(1));
  pool.submit(3, {.session = 1, .prompt = 4300});
  EXPECT_THAT(pool.went(), ElementsAre(3));
  EXPECT_EQ(pool.dispatch(3).why, Why::resident);
}

TEST(ResidentSet, APlaceIsKeptForAWhileOnly) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 4000});
  pool.settle(1, Ending::finished, used(4000, 0));
  pool.submit(2, {.session = 2, .prompt = 7000});
  pool.forget();
  pool.pass(milliseconds(9'500));
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pass(seconds(1));
  EXPECT_THAT(pool.went(), ElementsAre(2)) << "hold is about ten seconds";
}

TEST(ResidentSet, RequestsThatWaitForAPromptToBeComputedAreNoSignOfFullSlots) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 1000});
  pool.submit(2, {.session = 2, .prompt = 1000});
  pool.forget();
  pool.pass(seconds(1));
  pool.observe(1, 1, 1);  // the engine spends its steps on the first
  pool.submit(3, {.session = 3, .prompt = 1000});
  EXPECT_THAT(pool.went(), ElementsAre(3));
}

TEST(ResidentSet, ConfiguredSlotsAreALimit) {
  PoolUnderTest pool(residents());
  pool.endpoint(1, {1}, 2);
  for (unsigned id = 1; id <= 3; ++id) pool.submit(id, {.session = id, .prompt = 1000});
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(3));
}

TEST(ResidentSet, WhatCanNeverFitGoesAlone) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.prompt = 50'000});
  EXPECT_THAT(pool.went(), ElementsAre(1)) << "the engine gives its own answer";
  pool.submit(2, {.prompt = 100});
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(ResidentSet, LeastNewWorkFirstWithADeadlineOfItsOwn) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.prompt = 9000});
  pool.submit(2, {.prompt = 8000});
  pool.pass(seconds(1));
  pool.submit(3, {.prompt = 6000});
  pool.forget();
  pool.settle(1);
  EXPECT_THAT(pool.went(), ElementsAre(3)) << "2000 tokens less are worth a minute";
  pool.settle(3);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

TEST(ResidentSet, WhoHasPassedHisDeadlineGetsASeat) {
  PoolParams params = residents();
  params.resident.alpha = 1;  // a second per 1000 tokens
  PoolUnderTest pool(params);
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 4000});
  pool.submit(2, {.session = 2, .prompt = 8000});  // due after about ten seconds
  unsigned id = 10;
  for (; pool.view().counters.seats == 0 && id < 40;
       ++id) {  // small ones keep coming, and fit beside the first
    pool.submit(id, {.session = id, .prompt = 3000});
    ASSERT_EQ(pool.place(id), 1U);
    pool.pass(seconds(1));
    if (pool.view().counters.seats == 0) pool.settle(id, Ending::cancelled);
  }
  EXPECT_NEAR(id, 20, 2);
  pool.submit(50, {.session = 50, .prompt = 1000});
  EXPECT_EQ(pool.place(50), 0U) << "nobody else enters where somebody waits for a seat";
  pool.settle(1, Ending::cancelled);
  pool.settle(id - 1, Ending::cancelled);
  EXPECT_EQ(pool.dispatch(2).why, Why::seat);
}

TEST(ResidentSet, TheSeatPausesTheLongestIdle) {
  PoolParams params = residents();
  params.resident.alpha = 0.1;
  PoolUnderTest pool(params);
  pool.endpoint(1);
  for (unsigned session = 1; session <= 3; ++session) {
    pool.submit(session, {.session = session, .prompt = 2000});
    pool.settle(session, Ending::finished, used(2000, 0));
    pool.pass(milliseconds(10));
  }
  pool.submit(4, {.session = 4, .prompt = 6500});
  pool.forget();
  pool.pass(seconds(2));
  EXPECT_THAT(pool.went(), ElementsAre(4));
  EXPECT_EQ(pool.dispatch(4).why, Why::seat);
  EXPECT_EQ(pool.pool.session(SessionKey(1), pool.now)->mode, SessionMode::paused);
  EXPECT_EQ(pool.pool.session(SessionKey(3), pool.now)->mode, SessionMode::acting)
      << "the last one may stay";
}

TEST(ResidentSet, CapacityIsLearnedFromWhatAnswersFound) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 2000});
  pool.settle(1, Ending::finished, used(2000, 0));
  pool.submit(2, {.session = 2, .prompt = 3000});
  pool.settle(2, Ending::finished, used(3000, 0));
  pool.submit(3, {.session = 1, .prompt = 2500});
  pool.settle(3, Ending::finished,
              used(2500, 0));  // nothing of it was left, though only 3100 tokens were used since
  EXPECT_EQ(pool.endpoint_view(1).capacity_tokens, TokenCount(10'000 - (10'000 - 3100) / 5));
}

TEST(ResidentSet, AnEngineWhoseAnswersDoNotTellIsCountedByItsCounter) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  const auto counted = [&](double tokens) {
    pool.pool.observe(EndpointId(1), {.cached_tokens = tokens}, pool.now, pool.now);
    pool.look();
    return pool.endpoint_view(1).capacity_tokens->value();
  };
  unsigned id = 0;
  const auto turn = [&](std::int64_t prompt) {
    pool.submit(++id, {.session = 1, .prompt = prompt});
    pool.settle(id, Ending::finished, {.prompt_tokens = TokenCount(prompt)});
  };
  turn(2000);
  counted(0);
  turn(2100);  // 2000 of it should be there
  pool.pass(seconds(29));
  EXPECT_EQ(counted(0), 10'000);
  pool.pass(seconds(1));
  EXPECT_EQ(counted(1399), 9'000) << "less than 0.7 of them were";
  turn(2200);
  pool.pass(seconds(30));
  EXPECT_GE(counted(1399 + 1470), 9'000) << "0.7 of 2100";
  turn(2300);
  pool.pass(seconds(30));
  EXPECT_GE(counted(0), 9'000) << "it has restarted";
  // It comes back while somebody waits.
  pool.submit(++id, {.prompt = 9'000});
  pool.submit(++id, {.prompt = 9'000});
  const std::int64_t before = counted(0);
  pool.pass(seconds(100));
  EXPECT_GT(counted(0), before);
  EXPECT_LT(counted(0), 10'000);
}

TEST(ResidentSet, OneAnswerThatTellsMakesTheCounterUnneeded) {
  CacheCounters counters;
  const TimePoint start{std::chrono::hours(1)};
  EXPECT_FALSE(counters.disappoints({}, start));
  EXPECT_FALSE(counters.needed());
  EXPECT_FALSE(counters.disappoints(0.0, start));
  EXPECT_TRUE(counters.needed());
  counters.expect(1023);
  EXPECT_FALSE(counters.disappoints(0.0, start + seconds(30))) << "too few to tell";
  counters.expect(1);
  EXPECT_FALSE(counters.disappoints(0.0, start + seconds(30) - Duration(1)));
  EXPECT_TRUE(counters.disappoints(0.0, start + seconds(30)));
  counters.expect(2000);
  counters.answers_tell();
  EXPECT_FALSE(counters.disappoints(0.0, start + seconds(60)));
  EXPECT_FALSE(counters.needed());
}

TEST(ResidentSet, AnEndpointThatGoesFreesWhoWaitedForIt) {
  PoolUnderTest pool(residents());
  pool.endpoint(1);
  pool.submit(1, {.session = 1, .prompt = 4000});
  pool.settle(1, Ending::finished, used(4000, 0));
  pool.submit(2, {.prompt = 5000});
  pool.submit(3, {.session = 1, .prompt = 6000});
  pool.forget();
  pool.endpoint(2);
  pool.pool.remove_endpoint(EndpointId(1), pool.now);
  pool.look();
  EXPECT_THAT(pool.went(), ElementsAre(3));
  EXPECT_EQ(pool.place(3), 2U);
  EXPECT_TRUE(pool.dispatch(3).rebound);
}

TEST(ResidentSet, SharedPrefixesAreCountedOnce) {
  PoolUnderTest pool(residents());
  pool.pool.add_endpoint(
      {.id = EndpointId(1), .name = "e1", .models = {ModelId(1)}, .capacity = TokenCount(10'000)},
      pool.now);
  pool.pool.observe(
      EndpointId(1),
      {.running = 0, .waiting = 0, .kv_usage = {}, .kv_capacity = TokenCount(100'000)}, pool.now,
      pool.now);
  const std::vector<std::uint64_t> shared = {1, 2, 3, 4, 5, 6, 7, 8};
  for (unsigned session = 1; session <= 5; ++session) {
    std::vector<std::uint64_t> blocks = shared;
    blocks.push_back(100 + session);
    pool.submit(session, {.session = session, .prompt = 4000, .blocks = blocks});
  }
  EXPECT_EQ(pool.went().size(), 3U)
      << "the third brings 444 tokens of its own and the reserve; unshared it would not fit";
}

TEST(ResidentSet, NewcomersWithoutHopeAreRefusedEarly) {
  PoolParams params = residents();
  params.resident.max_wait = seconds(20);
  PoolUnderTest pool(params);
  pool.endpoint(1);
  unsigned id = 1;
  pool.submit(id, {.session = id, .prompt = 9000});
  for (int i = 0; i < 5; ++i) {
    pool.pass(seconds(10));
    pool.submit(id + 1, {.session = id + 1, .prompt = 9000});
    pool.settle(id, Ending::cancelled);
    ++id;
  }
  EXPECT_THAT(pool.turned_away(), IsEmpty());
  pool.submit(100, {.session = 100, .prompt = 8900});
  pool.submit(101, {.session = 101, .prompt = 8950});
  pool.submit(102, {.session = 102, .prompt = 8990});
  pool.submit(103, {.session = 103, .prompt = 8995});
  const auto away = pool.turned_away();
  ASSERT_FALSE(away.empty());
  EXPECT_EQ(away.front().second, RejectReason::predicted_wait);
  EXPECT_GT(pool.retry_after(away.front().first), seconds(20));
}

}  // namespace
}  // namespace turnpike::core
