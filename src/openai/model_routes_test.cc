#include "openai/model_routes.h"

#include <cmath>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "base/random.h"

namespace turnpike::openai {
namespace {

http::RequestHead head(std::string_view path, std::string_view team = {}) {
  http::RequestHead head;
  head.target = path;
  if (!team.empty()) head.fields.push_back({"X-Team", team, http::FieldKind::end_to_end});
  return head;
}

TEST(ModelRoutes, TheFirstRuleThatMatchesCounts) {
  const ModelRoutes routes({{.model = "gpt-4o", .headers = {{"x-team", "a"}}, .to = {{"for-a"}}},
                            {.model = "gpt-4o", .path = "/v1/embeddings", .to = {{"embedder"}}},
                            {.model = "gpt-*", .to = {{"big"}}}});
  const auto target = [&](std::string_view model, const http::RequestHead& h) {
    const auto* rule = routes.find(model, h);
    return rule == nullptr ? std::string() : rule->to.front().model;
  };
  EXPECT_EQ(target("gpt-4o", head("/v1/chat/completions", "a")), "for-a");
  EXPECT_EQ(target("gpt-4o", head("/v1/chat/completions", "b")), "big");
  EXPECT_EQ(target("gpt-4o", head("/v1/embeddings?x")), "embedder");
  EXPECT_EQ(target("gpt-", head("/")), "big");
  EXPECT_EQ(target("gpt", head("/")), "");
}

TEST(ModelRoutes, TargetsAreDrawnInProportionAndAlwaysTheSameForANumber) {
  const ModelRoutes::Rule before{.model = "m", .to = {{"big", 9}, {"new", 1}}};
  const ModelRoutes::Rule after{.model = "m", .to = {{"big", 8}, {"new", 2}}};
  Random random(7);
  std::map<std::string, int> drawn;
  constexpr int kDraws = 100'000;
  int moved_back = 0;
  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t number = random.next();
    const std::string& first = ModelRoutes::draw(before, number).model;
    EXPECT_EQ(ModelRoutes::draw(before, number).model, first);
    ++drawn[first];
    moved_back += first == "new" && ModelRoutes::draw(after, number).model == "big" ? 1 : 0;
  }
  // 10 %, within five standard deviations.
  EXPECT_NEAR(drawn["new"], kDraws / 10, 5 * std::sqrt(kDraws * 0.1 * 0.9));
  EXPECT_EQ(moved_back, 0) << "a growing canary keeps whom it has";
}

TEST(ModelRoutes, TargetsAndHeadersAreParsed) {
  EXPECT_EQ(ModelRoutes::parse_target("big")->weight, 1);
  EXPECT_EQ(ModelRoutes::parse_target(" org/big = 0.5 ")->model, "org/big");
  EXPECT_EQ(ModelRoutes::parse_target("a=b=2")->model, "a=b");
  for (const std::string_view wrong : {"=1", "", "a=", "a=x", "a=0", "a=-1", "a=inf", "a=1x"})
    EXPECT_FALSE(ModelRoutes::parse_target(wrong)) << wrong;
  EXPECT_EQ(ModelRoutes::parse_header("x-team:  a ")->second, "a");
  EXPECT_FALSE(ModelRoutes::parse_header("x team: a"));
  EXPECT_FALSE(ModelRoutes::parse_header("x-team"));
}

}  // namespace
}  // namespace turnpike::openai
