#include "backend/models.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::backend {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> names(std::string_view json) {
  const auto parsed = parse_models(json);
  EXPECT_TRUE(parsed.has_value()) << json;
  return parsed.value_or(std::vector<std::string>{"refused"});
}

TEST(ParseModels, ReadsVllm) {
  EXPECT_THAT(
      names(
          R"({"object":"list","data":[{"id":"tiny","object":"model","created":1795247045,"owned_by":"vllm","root":"/models/tiny-4m","parent":null,"max_model_len":16384,"permission":[{"id":"modelperm-814a","object":"model_permission"}]},{"id":"adapter","object":"model","parent":"tiny"}]})"),
      ElementsAre("tiny", "adapter"));
}

TEST(ParseModels, AnEngineMayServeNothing) {
  EXPECT_THAT(names(R"({"object":"list","data":[]})"), IsEmpty());
}

TEST(ParseModels, NamesComeOnceAndOddOnesNotAtAll) {
  const std::string longest(kMaxModelName, 'x');
  EXPECT_THAT(
      names(
          R"({"data":[{"id":"b"},{"id":"a"},{"id":"b"},{"id":""},{"id":"x\ny"},{"id":"\u007f"},{"id":")" +
          longest + R"("},{"id":"x)" + longest + R"("}]})"),
      ElementsAre("b", "a", longest));
}

TEST(ParseModels, TheirNumberIsBounded) {
  std::string json = R"({"data":[)";
  for (std::size_t i = 0; i <= kMaxModels; ++i)
    json += (i == 0 ? "" : ",") + std::string(R"({"id":"m)") + std::to_string(i) + "\"}";
  EXPECT_EQ(names(json + "]}").size(), kMaxModels);
}

TEST(ParseModels, RefusesWhatIsNotSuchAnAnswer) {
  for (const std::string_view json :
       {"", "{", "[]", "null", "{}", R"({"data":{}})", R"({"data":null})",
        R"({"detail":"Not Found"})", "<html>", "{\"data\":[\xff]}"}) {
    EXPECT_FALSE(parse_models(json).has_value()) << json;
  }
}

TEST(ParseModels, DeeplyNestedAnswersAreHarmless) {
  EXPECT_FALSE(parse_models(std::string(1'000'000, '[')).has_value());
}

}  // namespace
}  // namespace turnpike::backend
