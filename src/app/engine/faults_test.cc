#include "app/engine/faults.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace turnpike::app {
namespace {

Fault planned(std::string_view body) {
  auto fault = parse_fault(body);
  EXPECT_TRUE(fault.has_value()) << (fault ? "" : fault.error().message);
  return fault ? *fault : Fault{};
}

TEST(Faults, BefallAsManyRequestsAsTheyCount) {
  FaultPlan plan;
  EXPECT_TRUE(plan.add(planned(R"({"kind":"status","status":500,"count":2})")));
  EXPECT_EQ(plan.take("/v1/chat/completions")->status, 500);
  EXPECT_TRUE(plan.take("/v1/completions").has_value());
  EXPECT_FALSE(plan.take("/v1/completions").has_value());
}

TEST(Faults, OnceByDefaultAndForEverByMinusOne) {
  FaultPlan plan;
  plan.add(planned(R"({"kind":"reset"})"));
  EXPECT_TRUE(plan.take("/v1/x").has_value());
  EXPECT_FALSE(plan.take("/v1/x").has_value());
  plan.add(planned(R"({"kind":"stall","count":-1})"));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(plan.take("/v1/x").has_value());
  plan.clear();
  EXPECT_FALSE(plan.take("/v1/x").has_value());
}

TEST(Faults, BefallOnlyTheirPath) {
  FaultPlan plan;
  plan.add(planned(R"({"kind":"status","status":500,"path":"/health","count":-1})"));
  plan.add(planned(R"({"kind":"delay","delay_ms":250})"));
  EXPECT_EQ(plan.take("/v1/models")->delay, std::chrono::milliseconds(250));
  EXPECT_FALSE(plan.take("/metrics").has_value());
  EXPECT_TRUE(plan.take("/health").has_value());
}

TEST(Faults, OfCountZeroNeverHappen) {
  FaultPlan plan;
  EXPECT_TRUE(plan.add(planned(R"({"kind":"reset","count":0})")));
  EXPECT_FALSE(plan.take("/v1/x").has_value());
}

TEST(Faults, AreListed) {
  FaultPlan plan;
  plan.add(planned(R"({"kind":"truncate","after_tokens":5,"count":3})"));
  plan.add(planned(R"({"kind":"status","retry_after":2})"));
  const auto list = plan.list();
  ASSERT_EQ(list.size(), 2);
  EXPECT_EQ(list[0]["kind"], "truncate");
  EXPECT_EQ(list[0]["after_tokens"], 5);
  EXPECT_EQ(list[1]["status"], 503);
  EXPECT_EQ(list[1]["retry_after"], 2);
}

TEST(Faults, WrongOnesAreRefused) {
  for (const char* const body :
       {"", "[]", "{}", R"({"kind":"burn"})", R"({"kind":7})", R"({"kind":"status","status":99})",
        R"({"kind":"status","status":600})", R"({"kind":"reset","count":-2})",
        R"({"kind":"delay","delay_ms":"x"})", R"({"kind":"reset","when":"now"})"}) {
    EXPECT_FALSE(parse_fault(body).has_value()) << body;
  }
}

TEST(Faults, AreBounded) {
  FaultPlan plan;
  for (std::size_t i = 0; i < FaultPlan::kMost; ++i) {
    ASSERT_TRUE(plan.add(planned(R"({"kind":"reset"})")));
  }
  EXPECT_FALSE(plan.add(planned(R"({"kind":"reset"})")));
}

}  // namespace
}  // namespace turnpike::app
