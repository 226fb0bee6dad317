#include "tenant/in_flight.h"

#include <vector>

#include <gtest/gtest.h>

namespace turnpike::tenant {
namespace {

TEST(InFlight, APlaceIsGivenBackOnceHoweverItsPermitEnds) {
  InFlight in_flight;
  const TenantKey ann(1);
  auto first = in_flight.take(ann, 2);
  auto second = in_flight.take(ann, 2);
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(in_flight.take(ann, 2));
  EXPECT_TRUE(in_flight.take(TenantKey(2), 1));  // and given back at once
  second.reset();
  auto third = in_flight.take(ann, 2);
  EXPECT_TRUE(third);
  {
    const InFlight::Permit moved = *std::exchange(third, {});
    EXPECT_FALSE(in_flight.take(ann, 2));
  }
  EXPECT_TRUE(in_flight.take(ann, 2));
  first.reset();
  EXPECT_EQ(in_flight.tenants(), 0U);
}

TEST(InFlight, AssigningSwapsSoThatNothingIsLost) {
  InFlight in_flight;
  InFlight::Permit one = *in_flight.take(TenantKey(1), 1);
  InFlight::Permit other = *in_flight.take(TenantKey(2), 1);
  one = std::move(other);
  EXPECT_EQ(in_flight.tenants(), 2U);
  {
    const InFlight::Permit gone = std::move(one);
  }
  EXPECT_EQ(in_flight.tenants(), 1U);
}

}  // namespace
}  // namespace turnpike::tenant
