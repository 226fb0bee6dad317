#include "backend/models.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::backend {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> names(std::string_view json) {
  const auto parsed = parse_models(json);
  EXPECT_TRUE(parsed) << json;
  return parsed.value_or(ServedModels{}).names;
}

TEST(Models, ReadsWhatVllmSays) {
  EXPECT_THAT(
      names(
          R"({"object":"list","data":[{"id":"tiny","object":"model","created":1795247045,"owned_by":"vllm",
    "root":"/models/tiny-4m","parent":null,"max_model_len":16384,"permission":[{"id":"modelperm-814a4b224ccacc63",
    "object":"model_permission","allow_sampling":true,"organization":"*","group":null}]},{"id":"tiny-lora"}]})"),
      ElementsAre("tiny", "tiny-lora"));
}

TEST(Models, WhatNamesAParentIsAnAdapter) {
  const auto adapters = [](std::string_view json) {
    return parse_models(json).value_or(ServedModels{}).adapters;
  };
  EXPECT_THAT(adapters(R"({"data":[{"id":"base","root":"/m","parent":null},
    {"id":"sql","root":"/a","parent":"base"},{"parent":"base","id":"chat"},{"id":"x","parent":""},
    {"id":"y","more":{"parent":"base"}},{"parent":"base"}]})"),
              ElementsAre("sql", "chat"));
  EXPECT_THAT(names(R"({"data":[{"id":"a","parent":"b"},{"id":"b"}]})"), ElementsAre("a", "b"));
}

TEST(Models, ReadsWhatLlamaServerSays) {
  EXPECT_THAT(names(R"({"models":[{"name":"m.gguf","id":"not this"}],"object":"list",
    "data":[{"id":"m.gguf","aliases":[],"tags":[],"object":"model","meta":{"id":"nor this","n_ctx":4096}}]})"),
              ElementsAre("m.gguf"));
}

TEST(Models, AnEmptyListIsAnAnswer) {
  EXPECT_THAT(names(R"({"data":[]})"), IsEmpty());
}

TEST(Models, WhatIsNotAListOfModelsIsAnError) {
  for (const std::string_view text :
       {"", "null", "[]", "{}", "\"data\"", R"({"data":{"id":"a"}})", R"({"data":"x"})",
        R"([{"data":[{"id":"a"}]}])", R"({"data":[{"id":"a"})", "<html>",
        R"({"x":{"data":[{"id":"a"}]}})"}) {
    EXPECT_FALSE(parse_models(text)) << text;
  }
}

TEST(Models, EntriesThatNameNothingAreLeftOut) {
  EXPECT_THAT(
      names(
          R"({"data":[1,"x",[{"id":"deep"}],{},{"id":3},{"id":""},{"id":null},{"name":"n"},{"id":"good"}]})"),
      ElementsAre("good"));
}

TEST(Models, EachNameComesOnce) {
  EXPECT_THAT(names(R"({"data":[{"id":"a"},{"id":"b"},{"id":"a"}]})"), ElementsAre("a", "b"));
}

TEST(Models, NamesAreBoundedInLengthAndNumber) {
  const std::string at(kMaxModelName, 'n');
  EXPECT_THAT(names(R"({"data":[{"id":")" + at + R"("},{"id":")" + at + R"(x"}]})"),
              ElementsAre(at));
  std::string many = R"({"data":[)";
  for (std::size_t i = 0; i <= kMaxModels; ++i)
    many += R"({"id":"m)" + std::to_string(i) + R"("},)";
  many.back() = ']';
  EXPECT_THAT(names(many + '}'), SizeIs(kMaxModels));
}

TEST(Models, DeepNestingIsHarmless) {
  const std::string deep(200'000, '[');
  EXPECT_FALSE(parse_models(R"({"data":)" + deep));
  EXPECT_THAT(names(R"({"data":[{"x":)" + std::string(100'000, '[') + std::string(100'000, ']') +
                    R"(,"id":"a"}]})"),
              ElementsAre("a"));
}

}  // namespace
}  // namespace turnpike::backend
