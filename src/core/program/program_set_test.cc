#include "core/program/program_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

namespace turnpike::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// An endpoint of 1000 tokens. Turns of 300 tokens, unless said otherwise, that grow by nothing.
class Programs : public testing::Test {
 protected:
  static PoolParams params() {
    PoolParams p = *preset("program");
    p.admission.assumed_capacity = TokenCount(1000);
    p.program.first_hold = seconds(2);
    p.program.seconds_per_token = 0.01;  // a context is worth keeping
    return p;
  }
  void SetUp() override { pool.endpoint(1); }
  void ask(unsigned id, unsigned session, std::int64_t prompt = 300) {
    pool.submit(id, {.session = session, .prompt = prompt});
  }
  void answer(unsigned id, std::int64_t prompt = 300) {
    pool.settle(id, Ending::finished,
                {.prompt_tokens = TokenCount(prompt), .output_tokens = TokenCount(0)});
  }

  PoolUnderTest pool{params()};
};

TEST_F(Programs, APlaceIsKeptAndItsNextTurnWaitsForNobody) {
  for (const unsigned session : {1U, 2U, 3U}) ask(session, session);
  ask(4, 4);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2, 3));  // 900 of 1000
  answer(1);
  pool.pass(seconds(1));
  EXPECT_THAT(pool.went(), IsEmpty());
  ask(5, 1);
  EXPECT_THAT(pool.went(), ElementsAre(5));
}

TEST_F(Programs, APlaceThatIsNotUsedInTimeGoesToWhoWaits) {
  for (const unsigned session : {1U, 2U, 3U}) ask(session, session);
  ask(4, 4);
  pool.forget();
  answer(1);
  pool.pass(milliseconds(1999));
  EXPECT_THAT(pool.went(), IsEmpty());
  pool.pass(milliseconds(1));
  EXPECT_THAT(pool.went(), ElementsAre(4));
  EXPECT_EQ(pool.view().counters.pauses, 1U);
}

TEST_F(Programs, WhoWasServedLastIsAdmittedFirst) {
  for (const unsigned session : {1U, 2U}) {
    ask(session, session);
    answer(session);
    pool.pass(seconds(3));
  }
  ask(3, 3, 900);
  pool.forget();
  ask(4, 1);
  ask(5, 2);
  ask(6, 4);
  pool.settle(3, Ending::cancelled);
  EXPECT_THAT(pool.went(), ElementsAre(5, 4, 6));
}

TEST_F(Programs, OneThatDoesNotFitIsPassedAndAnEmptyEndpointTakesAnyOne) {
  ask(1, 1, 900);
  ask(2, 2, 5000);
  ask(3, 3, 90);
  EXPECT_THAT(pool.went(), ElementsAre(1, 3));
  pool.settle(1, Ending::cancelled);
  pool.settle(3, Ending::cancelled);
  EXPECT_THAT(pool.went(), ElementsAre(2));
}

// It stood in the same line and was overlooked while nobody there fitted.
TEST_F(Programs, WhatNeedsNoPlaceGoesWhileOthersWaitForOne) {
  ask(1, 1, 900);
  ask(2, 2);
  ask(3, 0);
  EXPECT_THAT(pool.went(), ElementsAre(1, 3));
  ask(4, 1, 2000);  // has a place, and overdraws the endpoint
  ask(5, 0);
  EXPECT_THAT(pool.went(), ElementsAre(4, 5));
}

TEST_F(Programs, AnOverdrawnEndpointTakesThePlaceOfWhoseTurnEnds) {
  ask(1, 1);
  answer(1);
  ask(2, 2);
  ask(3, 1, 900);  // has a place, and has grown
  EXPECT_THAT(pool.went(), ElementsAre(1, 2, 3));
  answer(2);
  EXPECT_EQ(pool.view().counters.pauses, 1U);
  ask(4, 2);
  EXPECT_THAT(pool.went(), IsEmpty());
}

TEST_F(Programs, RoomForGrowthIsReserved) {
  // Each turn of one session adds 100 tokens; two turns before it is paused.
  std::int64_t prompt = 100;
  unsigned id = 10;
  for (int i = 0; i < 40; ++i) {
    if (i % 2 == 0) {
      pool.pass(seconds(100));
      prompt = 100;
      pool.pool.end_session(SessionKey(9), pool.now);
    }
    ask(++id, 9, prompt);
    answer(id, prompt);
    prompt += 100;
  }
  pool.pass(seconds(100));
  pool.forget();
  ask(1, 1, 350);
  ask(2, 2, 350);
  ask(3, 3, 150);
  EXPECT_EQ(pool.went().size(), 2U);  // 850 tokens of prompts, and what they will grow by
}

TEST_F(Programs, SiblingsOfOneSessionShareItsPlace) {
  ask(1, 1, 900);
  ask(2, 2, 300);
  ask(3, 2, 300);
  pool.settle(1, Ending::cancelled);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2, 3));
  EXPECT_EQ(pool.endpoint_view(1).resident_tokens, TokenCount(300));
}

TEST_F(Programs, AnEndpointThatGetsNothingLosesItsPrograms) {
  ask(1, 1);
  answer(1);
  pool.endpoint(2);
  pool.pool.set_draining(EndpointId(1), true, pool.now);
  pool.look();
  ask(2, 1);
  EXPECT_EQ(pool.place(2), 2U);
  EXPECT_EQ(pool.endpoint_view(1).resident_tokens, TokenCount(0));
}

TEST_F(Programs, ARequestWithoutSessionIsNotScheduled) {
  ask(1, 1, 950);
  ask(2, 0, 5000);
  EXPECT_THAT(pool.went(), ElementsAre(1, 2));
  EXPECT_EQ(pool.dispatch(2).why, Why::bypass);
}

}  // namespace
}  // namespace turnpike::core
