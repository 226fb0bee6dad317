#include "gateway/pools.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::gateway {
namespace {

using testing::ElementsAre;

core::EndpointSpec spec(unsigned id, std::vector<unsigned> models) {
  core::EndpointSpec made{.id = EndpointId(id), .name = "e" + std::to_string(id)};
  for (const unsigned model : models) made.models.push_back(ModelId(model));
  return made;
}

// Where requests for this model go, one after the other.
std::vector<unsigned> places(Pools& pools, ModelId model, int requests) {
  static std::uint64_t next = 0;
  std::vector<unsigned> found;
  for (int i = 0; i < requests; ++i)
    pools.of_model(model)->submit({.id = RequestId(++next), .model = model}, TimePoint{});
  pools.drain([&](const core::Decision& decision) {
    if (const auto* dispatch = std::get_if<core::Dispatch>(&decision))
      found.push_back(dispatch->endpoint.value());
  });
  return found;
}

TEST(Pools, AnEndpointsOwnModelIsServedByItAlone) {
  Pools pools(*core::preset("round-robin"));
  for (const unsigned id : {1U, 2U, 3U}) pools.serve(spec(id, {7}), TimePoint{});
  EXPECT_EQ(pools.of_model(own_model(EndpointId(2))), nullptr);
  pools.serve_alone(EndpointId(2), TimePoint{});
  EXPECT_THAT(places(pools, own_model(EndpointId(2)), 3), ElementsAre(2, 2, 2));
  EXPECT_EQ(places(pools, ModelId(7), 3).size(), 3U);
  ASSERT_EQ(pools.list().size(), 1U);
  EXPECT_THAT(pools.list().front().models, ElementsAre(ModelId(7)));
}

TEST(Pools, AnOwnModelStaysWhenTheOthersChange) {
  Pools pools(*core::preset("round-robin"));
  for (const unsigned id : {1U, 2U}) pools.serve(spec(id, {7}), TimePoint{});
  pools.serve_alone(EndpointId(2), TimePoint{});
  pools.serve_alone(EndpointId(2), TimePoint{});
  pools.serve(spec(2, {7, 8}), TimePoint{});
  EXPECT_THAT(places(pools, own_model(EndpointId(2)), 2), ElementsAre(2, 2));
  EXPECT_THAT(places(pools, ModelId(8), 1), ElementsAre(2));
}

TEST(Pools, AnEndpointThatIsGoneServesNothingAlone) {
  Pools pools(*core::preset("round-robin"));
  for (const unsigned id : {1U, 2U}) pools.serve(spec(id, {7}), TimePoint{});
  pools.serve_alone(EndpointId(2), TimePoint{});
  pools.remove(EndpointId(2), TimePoint{});
  pools.serve_alone(EndpointId(2), TimePoint{});  // too late
  EXPECT_THAT(places(pools, own_model(EndpointId(2)), 1), ElementsAre());
  pools.serve_alone(EndpointId(9), TimePoint{});  // never there
}

TEST(Pools, OwnModelsAndOthersNeverMeet) {
  EXPECT_EQ(alone_serving(own_model(EndpointId(5))), EndpointId(5));
  EXPECT_EQ(alone_serving(ModelId(5)), std::nullopt);
}

}  // namespace
}  // namespace turnpike::gateway
