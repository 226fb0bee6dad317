#include "base/fields.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace turnpike {
namespace {

struct Nothing {};
struct One {
  std::string text;
};
struct Three {
  int number = 1;
  std::optional<int> maybe;
  One nested;
};

TEST(Fields, CountsMembers) {
  EXPECT_EQ(kFieldCount<Nothing>, 0U);
  EXPECT_EQ(kFieldCount<One>, 1U);
  EXPECT_EQ(kFieldCount<Three>, 3U);
  EXPECT_EQ(kFieldCount<const Three>, 3U);
}

TEST(Fields, AreReferencesInOrder) {
  Three three;
  std::get<0>(fields(three)) = 5;
  std::get<2>(fields(three)).text = "x";
  EXPECT_EQ(three.number, 5);
  EXPECT_EQ(three.nested.text, "x");
}

}  // namespace
}  // namespace turnpike
