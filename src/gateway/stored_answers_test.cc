#include "gateway/stored_answers.h"

#include <string>

#include <gtest/gtest.h>

namespace turnpike::gateway {
namespace {

StoredAnswers::Place place(unsigned endpoint) {
  return {.endpoint = EndpointId(endpoint), .session = SessionKey(endpoint)};
}

TEST(StoredAnswers, AreFoundByTheirTenantAlone) {
  StoredAnswers stored(10);
  EXPECT_TRUE(stored.put(TenantKey(1), "resp_1", place(3)));
  EXPECT_FALSE(stored.put(TenantKey(1), "resp_2", place(3)));
  ASSERT_TRUE(stored.find(TenantKey(1), "resp_1"));
  EXPECT_EQ(stored.find(TenantKey(1), "resp_1")->endpoint, EndpointId(3));
  EXPECT_FALSE(stored.find(TenantKey(2), "resp_1"));
  stored.forget(TenantKey(1), "resp_1");
  EXPECT_FALSE(stored.find(TenantKey(1), "resp_1"));
}

TEST(StoredAnswers, AreBoundedAndThoseAskedForStay) {
  constexpr std::size_t kLimit = 100;
  StoredAnswers stored(kLimit);
  stored.put(TenantKey(1), "wanted", place(1));
  for (int i = 0; i < 1000; ++i) {
    stored.put(TenantKey(1), "resp_" + std::to_string(i), place(2));
    EXPECT_LE(stored.sample().known, kLimit);
    if (i % 20 == 0) {
      EXPECT_TRUE(stored.find(TenantKey(1), "wanted")) << i;
    }
  }
  EXPECT_EQ(stored.sample().known + stored.sample().forgotten, 1001U);
  // At least the latest half is there.
  for (int i = 951; i < 1000; ++i)
    EXPECT_TRUE(stored.find(TenantKey(1), "resp_" + std::to_string(i))) << i;
  EXPECT_FALSE(stored.find(TenantKey(1), "resp_0"));
}

}  // namespace
}  // namespace turnpike::gateway
