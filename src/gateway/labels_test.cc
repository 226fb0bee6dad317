#include "gateway/labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(Labels, AreTrimmedSortedAndEachOnce) {
  EXPECT_THAT(split_labels(" zone=a,gpu=h100 ,, zone=a"), ElementsAre("gpu=h100", "zone=a"));
  EXPECT_THAT(split_labels(""), IsEmpty());
  EXPECT_THAT(split_labels(" , "), IsEmpty());
}

TEST(Labels, EveryCombinationOfAnEndpointsLabelsCanBeAskedFor) {
  const std::vector<std::string> three = {"a=1", "b=2", "c=3"};
  EXPECT_THAT(combinations(three),
              ElementsAre(ElementsAre("a=1"), ElementsAre("b=2"), ElementsAre("a=1", "b=2"),
                          ElementsAre("c=3"), ElementsAre("a=1", "c=3"), ElementsAre("b=2", "c=3"),
                          ElementsAre("a=1", "b=2", "c=3")));
  EXPECT_THAT(combinations({}), IsEmpty());
  EXPECT_THAT(combinations(std::vector<std::string>(kMaxLabels, "x")), SizeIs(15));
}

TEST(Labels, OneModelWithDifferentLabelsHasDifferentNames) {
  EXPECT_NE(labelled_name("m", split_labels("a=1")), labelled_name("m", split_labels("a=1,b=2")));
  EXPECT_EQ(labelled_name("m", split_labels("b=2,a=1")),
            labelled_name("m", split_labels("a=1,b=2")));
}

}  // namespace
}  // namespace turnpike::gateway
