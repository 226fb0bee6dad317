#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace turnpike::engine {
namespace {

using ::testing::ElementsAre;
using testing_support::chain_of;
using testing_support::params;
using testing_support::sequence;
using testing_support::step;
using testing_support::steps;

TEST(Engine, OneRequestAlone) {
  Engine engine(params(100));
  ASSERT_TRUE(engine.add(sequence(1, 100, 3, 7)));
  EXPECT_THAT(steps(engine), ElementsAre("100: 1!", "1: 1", "1: 1."));
  EXPECT_EQ(engine.gauges().free_blocks, 100);
  EXPECT_EQ(engine.counters().prompt_tokens, 100);
  EXPECT_EQ(engine.counters().prefilled_tokens, 100);
  EXPECT_EQ(engine.counters().generated_tokens, 3);
  EXPECT_EQ(engine.counters().finished, 1);
}

TEST(Engine, IdleHasNoStep) {
  Engine engine(params(4));
  EXPECT_FALSE(engine.begin_step().has_value());
  EXPECT_TRUE(engine.idle());
}

TEST(Engine, AnAnswerOfOneTokenEndsWithItsFirst) {
  Engine engine(params(4));
  ASSERT_TRUE(engine.add(sequence(1, 5, 1, 7)));
  EXPECT_THAT(steps(engine), ElementsAre("5: 1!."));
}

TEST(Engine, PromptIsChunkedByTheBudget) {
  Engine engine(params(100, 64));
  ASSERT_TRUE(engine.add(sequence(1, 150, 2, 7)));
  EXPECT_THAT(steps(engine), ElementsAre("64:", "64:", "22: 1!", "1: 1."));
}

TEST(Engine, DecodesGoBeforeChunksAndShareTheBudget) {
  Engine engine(params(100, 64));
  ASSERT_TRUE(engine.add(sequence(1, 10, 5, 1)));
  EXPECT_EQ(step(engine), "10: 1!");
  ASSERT_TRUE(engine.add(sequence(2, 100, 2, 2)));
  ASSERT_TRUE(engine.add(sequence(3, 30, 2, 3)));
  EXPECT_THAT(steps(engine), ElementsAre("64: 1",       // 1 + 63 of the second
                                         "64: 1 2!",    // 1 + 37 + 26 of the third
                                         "6: 1 2. 3!",  // 1 + 1 + 4
                                         "2: 1. 3."));
}

TEST(Engine, WaitingAreServedInOrderOfArrivalWithinTheBudget) {
  Engine engine(params(100, 64));
  ASSERT_TRUE(engine.add(sequence(1, 64, 1, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 20, 1, 2)));
  ASSERT_TRUE(engine.add(sequence(3, 20, 1, 3)));
  EXPECT_THAT(steps(engine), ElementsAre("64: 1!.", "40: 2!. 3!."));
}

TEST(Engine, NoMoreThanMaxNumSeqsRun) {
  Engine engine(params(100, 2048, 2));
  for (std::uint64_t id = 1; id <= 3; ++id) ASSERT_TRUE(engine.add(sequence(id, 10, 2, id)));
  EXPECT_EQ(step(engine), "20: 1! 2!");
  EXPECT_EQ(engine.gauges().running, 2);
  EXPECT_EQ(engine.gauges().waiting, 1);
  EXPECT_THAT(steps(engine), ElementsAre("2: 1. 2.", "10: 3!", "1: 3."));
}

TEST(Engine, HeadOfTheLineBlocksThoseBehind) {
  Engine engine(params(8));
  ASSERT_TRUE(engine.add(sequence(1, 64, 3, 1)));  // 4 blocks, 5 with its answer
  EXPECT_EQ(step(engine), "64: 1!");
  ASSERT_TRUE(engine.add(sequence(2, 80, 1, 2)));  // 5 blocks: 4 are free
  ASSERT_TRUE(engine.add(sequence(3, 16, 1, 3)));  // would fit
  EXPECT_EQ(step(engine), "1: 1");
  EXPECT_EQ(engine.gauges().waiting, 2);
  EXPECT_EQ(step(engine), "1: 1.");
  EXPECT_EQ(step(engine), "96: 2!. 3!.");
}

TEST(Engine, BlockedHeadGoesWhenASmallerChunkFits) {
  // A running prompt leaves less of the budget: the head's chunk shrinks and its blocks can be had.
  Engine engine(params(16, 128));
  ASSERT_TRUE(engine.add(sequence(1, 176, 2, 1)));  // 11 blocks and a 12th for its answer
  EXPECT_EQ(step(engine), "128:");
  ASSERT_TRUE(engine.add(sequence(2, 120, 1, 2)));
  EXPECT_EQ(step(engine), "128: 1!");  // 48 + 80: five blocks of the five that are left
  EXPECT_EQ(engine.gauges().running, 2);
  EXPECT_EQ(engine.gauges().free_blocks, 0);
}

TEST(Engine, CachedPrefixIsWholeBlocksOnly) {
  Engine engine(params(100));
  ASSERT_TRUE(engine.add(sequence(1, 100, 5, 7)));
  steps(engine);
  // 104 of 105 tokens have been computed: six whole blocks.
  EXPECT_EQ(engine.cached_prefix(chain_of(7, 200), TokenCount(200)), TokenCount(96));
  ASSERT_TRUE(engine.add(sequence(2, 200, 1, 7)));
  EXPECT_EQ(step(engine), "104: 2!.");
  EXPECT_EQ(engine.counters().cached_tokens, 96);
  EXPECT_EQ(engine.counters().prompt_tokens, 300);
}

TEST(Engine, FollowUpFindsPromptAndAnswer) {
  Engine engine(params(100));
  ASSERT_TRUE(engine.add(sequence(1, 40, 41, 7)));  // computes 80 of its 81 tokens
  steps(engine);
  ASSERT_TRUE(engine.add(sequence(2, 90, 1, 7)));
  const auto took = engine.begin_step();
  EXPECT_EQ(took, std::chrono::milliseconds(10));
  EXPECT_EQ(engine.finish_step()[0].cached_tokens, TokenCount(80));
}

TEST(Engine, LastTokenIsNeverCached) {
  Engine engine(params(100));
  ASSERT_TRUE(engine.add(sequence(1, 64, 1, 7)));
  steps(engine);
  ASSERT_TRUE(engine.add(
      sequence(2, 64, 1, 7)));  // all four blocks are there; the fourth is computed again
  EXPECT_THAT(steps(engine), ElementsAre("16: 2!."));
  ASSERT_TRUE(engine.add(sequence(3, 65, 1, 7)));
  EXPECT_THAT(steps(engine), ElementsAre("1: 3!."));
}

TEST(Engine, LookupHappensWhenScheduledNotOnArrival) {
  Engine engine(params(100, 64));
  ASSERT_TRUE(engine.add(sequence(1, 128, 1, 7)));
  ASSERT_TRUE(engine.add(sequence(2, 129, 1, 7)));  // arrives before anything is cached
  EXPECT_THAT(steps(engine), ElementsAre("64:", "64: 1!.", "1: 2!."));
}

TEST(Engine, PrefixIsSharedWithinOneStep) {
  Engine engine(params(100));
  ASSERT_TRUE(engine.add(sequence(1, 64, 1, 7)));
  ASSERT_TRUE(engine.add(sequence(2, 66, 1, 7)));
  EXPECT_THAT(steps(engine), ElementsAre("66: 1!. 2!."));
}

TEST(Engine, LeastRecentlyUsedConversationIsEvictedFromItsTail) {
  Engine engine(params(10));
  const auto run = [&](std::uint64_t id, std::int64_t prompt, std::uint64_t text) {
    ASSERT_TRUE(engine.add(sequence(id, prompt, 1, text)));
    steps(engine);
  };
  const auto cached = [&](std::uint64_t text) {
    return engine.cached_prefix(chain_of(text, 1000), TokenCount(1000)).value();
  };
  run(1, 64, 1);
  run(2, 64, 2);
  run(3, 65, 1);  // used again: younger than the second now
  EXPECT_EQ(cached(1), 64);
  EXPECT_EQ(cached(2), 64);
  run(4, 64,
      4);  // takes the block never used, then the tail of 2
  EXPECT_EQ(cached(1), 64);
  EXPECT_EQ(cached(2), 16);
  EXPECT_EQ(cached(4), 64);
}

TEST(Engine, CachedButFreeBlocksCountAsFreeInTheGauge) {
  Engine engine(params(10));
  ASSERT_TRUE(engine.add(sequence(1, 64, 2, 1)));
  step(engine);
  EXPECT_DOUBLE_EQ(engine.gauges().kv_usage(), 0.4);
  step(engine);
  EXPECT_DOUBLE_EQ(engine.gauges().kv_usage(), 0.0);
  EXPECT_EQ(engine.cached_prefix(chain_of(1, 80), TokenCount(80)), TokenCount(64));
}

TEST(Engine, LastRunningIsPreemptedAndRecomputedFromTheFront) {
  Engine engine(params(4));
  ASSERT_TRUE(engine.add(sequence(1, 31, 4, 1)));  // 2 blocks, the third when it computes token 33
  ASSERT_TRUE(engine.add(sequence(2, 32, 3, 2)));  // 2 blocks, the third with its second token
  EXPECT_EQ(step(engine), "63: 1! 2!");
  ASSERT_TRUE(engine.add(sequence(3, 5, 1, 3)));
  // 2 needs a third block; it is itself the last, so it goes.
  EXPECT_EQ(step(engine), "1: 1");
  EXPECT_EQ(engine.counters().preemptions, 1);
  EXPECT_EQ(engine.gauges().running, 1);
  EXPECT_EQ(engine.gauges().waiting, 2);
  // 1 takes a third block, the oldest free one: the tail of 2. 2 needs three, and blocks 3.
  EXPECT_EQ(step(engine), "1: 1");
  EXPECT_EQ(step(engine), "1: 1.");
  // 2 first, from the front: one block was still cached, 33 tokens are known, 17 are computed again.
  EXPECT_EQ(step(engine), "22: 2 3!.");
  EXPECT_EQ(step(engine), "1: 2.");
  EXPECT_EQ(engine.counters().generated_tokens, 8);
  EXPECT_EQ(engine.counters().prompt_tokens, 68);  // the second look-up of 2 is not counted
  EXPECT_EQ(engine.counters().cached_tokens, 0);
}

TEST(Engine, NobodyIsAdmittedInAStepThatPreempted) {
  Engine engine(params(5));
  ASSERT_TRUE(engine.add(sequence(1, 32, 8, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 48, 8, 2)));
  EXPECT_EQ(step(engine), "80: 1! 2!");
  ASSERT_TRUE(engine.add(sequence(3, 5, 1, 3)));
  // 1 needs a block: 2 is preempted and two blocks stay free, but 3 waits.
  EXPECT_EQ(step(engine), "1: 1");
  EXPECT_EQ(engine.gauges().free_blocks, 2);
  EXPECT_EQ(engine.gauges().waiting, 2);
}

TEST(Engine, RefusesWhatCanNeverRun) {
  Engine engine(params(4));
  EXPECT_EQ(engine.longest_sequence(), TokenCount(64));
  EXPECT_FALSE(engine.add(sequence(1, 0, 1, 1)));
  EXPECT_FALSE(engine.add(sequence(1, 1, 0, 1)));
  EXPECT_FALSE(engine.add(sequence(1, 60, 5, 1)));
  EXPECT_TRUE(engine.idle());
  EXPECT_TRUE(engine.add(sequence(1, 60, 4, 1)));
  EXPECT_EQ(steps(engine).back(), "1: 1.");
}

TEST(Engine, AbortWhileWaiting) {
  Engine engine(params(10, 2048, 1));
  ASSERT_TRUE(engine.add(sequence(1, 10, 2, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 10, 2, 2)));
  step(engine);
  EXPECT_TRUE(engine.abort(SequenceId(2)));
  EXPECT_FALSE(engine.abort(SequenceId(2)));
  EXPECT_THAT(steps(engine), ElementsAre("1: 1."));
  EXPECT_FALSE(engine.abort(SequenceId(1)));
  EXPECT_EQ(engine.counters().aborted, 1);
}

TEST(Engine, AbortOfABlockedHeadLetsTheNextGo) {
  Engine engine(params(8));
  ASSERT_TRUE(engine.add(sequence(1, 64, 9, 1)));
  step(engine);
  ASSERT_TRUE(engine.add(sequence(2, 80, 1, 2)));
  ASSERT_TRUE(engine.add(sequence(3, 16, 1, 3)));
  EXPECT_EQ(step(engine), "1: 1");
  EXPECT_TRUE(engine.abort(SequenceId(2)));
  EXPECT_EQ(step(engine), "17: 1 3!.");
}

TEST(Engine, AbortInPrefillKeepsWhatWasComputed) {
  Engine engine(params(20, 64));
  ASSERT_TRUE(engine.add(sequence(1, 200, 2, 1)));
  step(engine);
  EXPECT_TRUE(engine.abort(SequenceId(1)));
  EXPECT_EQ(engine.gauges().free_blocks, 20);
  EXPECT_EQ(engine.cached_prefix(chain_of(1, 200), TokenCount(200)), TokenCount(64));
  EXPECT_TRUE(engine.idle());
}

TEST(Engine, AbortInDecode) {
  Engine engine(params(20));
  ASSERT_TRUE(engine.add(sequence(1, 20, 9, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 20, 3, 2)));
  step(engine);
  step(engine);
  EXPECT_TRUE(engine.abort(SequenceId(1)));
  EXPECT_THAT(steps(engine), ElementsAre("1: 2."));
}

TEST(Engine, AbortDuringAStepIsSilentAndFreesAtOnce) {
  Engine engine(params(20));
  ASSERT_TRUE(engine.add(sequence(1, 20, 9, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 20, 3, 2)));
  ASSERT_TRUE(engine.begin_step().has_value());
  EXPECT_TRUE(engine.abort(SequenceId(1)));
  EXPECT_EQ(engine.gauges().free_blocks, 18);
  EXPECT_EQ(engine.gauges().running, 1);
  const auto events = engine.finish_step();
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].id, SequenceId(2));
}

TEST(Engine, AbortOfAPreempted) {
  Engine engine(params(4));
  ASSERT_TRUE(engine.add(sequence(1, 32, 3, 1)));
  ASSERT_TRUE(engine.add(sequence(2, 32, 3, 2)));
  step(engine);
  step(engine);
  ASSERT_EQ(engine.counters().preemptions, 1);
  EXPECT_TRUE(engine.abort(SequenceId(2)));
  EXPECT_THAT(steps(engine), ElementsAre("1: 1."));
  EXPECT_EQ(engine.gauges().free_blocks, 4);
}

TEST(Engine, AddDuringAStepJoinsTheNext) {
  Engine engine(params(20));
  ASSERT_TRUE(engine.add(sequence(1, 20, 2, 1)));
  ASSERT_TRUE(engine.begin_step().has_value());
  ASSERT_TRUE(engine.add(sequence(2, 10, 1, 2)));
  EXPECT_EQ(engine.finish_step().size(), 1);
  EXPECT_EQ(step(engine), "11: 1. 2!.");
}

TEST(Engine, AnIdCanBeUsedAgainAfterItsEnd) {
  Engine engine(params(20));
  ASSERT_TRUE(engine.add(sequence(1, 20, 1, 1)));
  steps(engine);
  ASSERT_TRUE(engine.add(sequence(1, 20, 1, 2)));
  EXPECT_THAT(steps(engine), ElementsAre("20: 1!."));
}

}  // namespace
}  // namespace turnpike::engine
