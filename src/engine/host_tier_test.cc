#include "engine/host_tier.h"

#include <array>

#include <gtest/gtest.h>

#include "engine/engine_test_support.h"

namespace turnpike::engine {
namespace {

using testing_support::chain_of;
using testing_support::sequence;
using testing_support::steps;

TEST(HostTier, KeepsWhatWasPutThereLast) {
  HostTier tier(2);
  tier.put(1);
  tier.put(2);
  tier.put(1);  // again: it is now the last to go
  tier.put(3);
  EXPECT_EQ(tier.match_length(std::array<std::uint64_t, 3>{1, 3, 2}), 2);
  EXPECT_EQ(tier.match_length(std::array<std::uint64_t, 1>{2}), 0);
}

TEST(HostTier, OfNoSizeKeepsNothing) {
  HostTier tier(0);
  tier.put(1);
  EXPECT_EQ(tier.match_length(std::array<std::uint64_t, 1>{1}), 0);
}

// Ten blocks of cache, twenty of host memory. A prompt that was pushed out of the cache comes back for a twentieth of its price.
TEST(HostTier, WhatTheCacheForgotIsLoadedForATwentieth) {
  EngineParams params = testing_support::params(10);
  params.host_tokens = TokenCount(20 * kBlockTokens);
  Engine engine(params);
  ASSERT_TRUE(engine.add(sequence(1, 97, 1, 7)));
  EXPECT_EQ(steps(engine), (std::vector<std::string>{"97: 1!."}));
  ASSERT_TRUE(engine.add(sequence(2, 150, 1, 8)));
  EXPECT_EQ(steps(engine), (std::vector<std::string>{"150: 2!."}));
  EXPECT_EQ(engine.cached_prefix(chain_of(7, 97), TokenCount(97)), TokenCount(0));

  ASSERT_TRUE(engine.add(sequence(3, 97, 1, 7)));
  // One token is computed, 96 are loaded.
  EXPECT_EQ(*engine.begin_step(), std::chrono::microseconds(1000 + 96 * 50));
  const auto events = engine.finish_step();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].cached_tokens, TokenCount(96));
  EXPECT_EQ(engine.counters().reloaded_tokens, 96);
  EXPECT_TRUE(engine.blocks_in_order());
}

}  // namespace
}  // namespace turnpike::engine
