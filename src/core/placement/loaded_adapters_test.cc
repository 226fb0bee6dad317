#include "core/placement/loaded_adapters.h"

#include <gtest/gtest.h>

#include "core/pool/pool_test_support.h"

namespace turnpike::core {
namespace {

constexpr ModelId kA{1};
constexpr ModelId kB{2};
constexpr ModelId kC{3};

TEST(LoadedAdapters, HoldsTheOneUsedLastUntilTheEndpointSaysHowMany) {
  LoadedAdapters adapters;
  EXPECT_TRUE(adapters.has_place());
  adapters.used(kA);
  EXPECT_FALSE(adapters.has_place());
  adapters.used(kB);
  EXPECT_FALSE(adapters.holds(kA));
  EXPECT_TRUE(adapters.holds(kB));
}

TEST(LoadedAdapters, TheOneUsedLongestAgoGivesItsPlace) {
  LoadedAdapters adapters;
  adapters.observed({}, 2);
  adapters.used(kA);
  adapters.used(kB);
  adapters.used(kA);
  adapters.used(kC);
  EXPECT_TRUE(adapters.holds(kA));
  EXPECT_FALSE(adapters.holds(kB));
  adapters.observed({}, 1);  // started anew with fewer
  EXPECT_FALSE(adapters.holds(kA));
  EXPECT_TRUE(adapters.holds(kC));
}

TEST(LoadedAdapters, WhatOthersHadItLoadIsThere) {
  LoadedAdapters adapters;
  const ModelId running[] = {kB};
  adapters.used(kA);
  adapters.observed(running, 2);
  EXPECT_TRUE(adapters.holds(kA));
  EXPECT_TRUE(adapters.holds(kB));
}

TEST(LoadedAdapters, AreBoundedWhateverTheEndpointSays) {
  LoadedAdapters adapters;
  adapters.observed({}, 1'000'000);
  for (std::uint32_t id = 1; id <= LoadedAdapters::kMostPlaces + 1; ++id)
    adapters.used(ModelId(id));
  EXPECT_FALSE(adapters.holds(ModelId(1)));
  EXPECT_TRUE(adapters.holds(ModelId(2)));
}

// By load alone the two adapters would alternate.
TEST(LoraScorer, ABurstForOneAdapterStaysWhereItIsLoaded) {
  PoolParams params = with_limit(8);
  params.placement.scorers = {{Scorer::lora, 2.0}, {Scorer::least_request, 1.0}};
  PoolUnderTest pools(params);
  pools.endpoint(1, {1, 2, 3});
  pools.endpoint(2, {1, 2, 3});
  const auto place = [&](unsigned id, unsigned model) {
    pools.pool.submit({.id = RequestId(id), .model = ModelId(model), .adapter = model != 3},
                      pools.now);
    pools.look();
    return pools.place(id);
  };
  const unsigned of_a = place(1, 1);
  EXPECT_EQ(place(2, 2), 3 - of_a);
  EXPECT_EQ(place(3, 1), of_a);
  EXPECT_EQ(place(4, 1), of_a);
  EXPECT_EQ(place(5, 3), 3 - of_a) << "a base model has no adapter: load decides";
  EXPECT_EQ(place(6, 2), 3 - of_a);
  pools.pool.forget_cache(EndpointId(of_a), pools.now);
  pools.pool.observe(EndpointId(3 - of_a), {.adapters = {ModelId(1)}, .adapter_places = 2},
                     pools.now, pools.now);
  EXPECT_EQ(place(7, 1), 3 - of_a) << "the engine there has restarted";
}

}  // namespace
}  // namespace turnpike::core
