#include "core/preset/preset.h"

#include <gtest/gtest.h>

#include <set>

namespace turnpike::core {
namespace {

TEST(Preset, EveryNameIsKnownAndUnique) {
  std::set<std::string_view> names;
  for (const std::string_view name : preset_names()) {
    EXPECT_TRUE(names.insert(name).second) << name;
    const auto params = preset(name);
    ASSERT_TRUE(params) << name;
    EXPECT_EQ(params->policy, name);
  }
  EXPECT_FALSE(preset("no-such-policy"));
  EXPECT_FALSE(preset(""));
}

}  // namespace
}  // namespace turnpike::core
