#include "app/load/gateway_cpu.h"

#include <gtest/gtest.h>

namespace turnpike::app {
namespace {

TEST(GatewayCpu, IsTheSampleOfThatName) {
  EXPECT_EQ(cpu_seconds_in("# HELP process_cpu_seconds_total x\n"
                           "# TYPE process_cpu_seconds_total counter\n"
                           "process_cpu_seconds_total 12.25\nother 3\n"),
            12.25);
  EXPECT_EQ(cpu_seconds_in("process_cpu_seconds_total 7"), 7);
}

TEST(GatewayCpu, IsNothingWhereItIsNotSaid) {
  EXPECT_EQ(cpu_seconds_in(""), std::nullopt);
  EXPECT_EQ(cpu_seconds_in("other_process_cpu_seconds_total 1\nprocess_cpu_seconds 2\n"),
            std::nullopt);
  EXPECT_EQ(cpu_seconds_in("process_cpu_seconds_total much\n"), std::nullopt);
}

}  // namespace
}  // namespace turnpike::app
