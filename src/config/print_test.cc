#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/describe.h"
#include "config/load.h"

namespace turnpike::config {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Loaded load_text(std::string text) {
  return load({.file = FileText{"t.yaml", std::move(text)}, .environment = {}, .flags = {}});
}

constexpr const char* kFile = R"(
policy: kthena-pr
backends: [{url: http://a:1, models: ["x: y", "#z"], capacity: 7, slots: 3}]
timeouts: {queue: off, first_byte: 90s}
limits: {body: 3KiB}
speed: 2.5
expert: {placement: {scorers: {prefix: 0.5, session: 1}}}
)";

TEST(Print, WhatIsPrintedAsYamlLoadsToTheSame) {
  const Loaded loaded = load_text(kFile);
  ASSERT_THAT(loaded.errors, IsEmpty());
  const Loaded again = load_text(to_yaml(loaded));
  ASSERT_THAT(again.errors, IsEmpty()) << to_yaml(loaded);
  EXPECT_EQ(again.config, loaded.config);
}

TEST(Print, YamlTellsTheOriginOfEachValue) {
  const std::string text = to_yaml(load_text(kFile));
  EXPECT_THAT(text, HasSubstr("policy: \"kthena-pr\"  # t.yaml:2\n"));
  EXPECT_THAT(text, HasSubstr("  first_byte: \"90s\"  # t.yaml:4\n"));
  EXPECT_THAT(text, HasSubstr("listen: \"127.0.0.1:8080\"  # default\n"));
  EXPECT_THAT(text, HasSubstr("    among: \"fifo\"  # preset kthena-pr\n"));
}

TEST(Print, JsonHasEveryKeyWithValueAndOrigin) {
  const Loaded loaded = load_text(kFile);
  const json printed = json::parse(to_json(loaded));
  Config config;
  for (const Key& key : describe(config)) EXPECT_TRUE(printed.contains(key.path)) << key.path;
  EXPECT_EQ(printed["speed"]["value"], 2.5);
  EXPECT_EQ(printed["speed"]["origin"], "t.yaml:6");
  EXPECT_EQ(printed["backends"]["value"][0]["capacity"], 7);
}

TEST(Print, SecretsAreNotShown) {
  const Loaded loaded =
      load_text("backends: [{url: http://a:1, api_key: sk-secret}]\nsession: {hash_key: hush}\n");
  ASSERT_THAT(loaded.errors, IsEmpty());
  for (const std::string& text : {to_yaml(loaded), to_json(loaded)}) {
    EXPECT_THAT(text, Not(HasSubstr("sk-secret")));
    EXPECT_THAT(text, Not(HasSubstr("hush")));
    EXPECT_THAT(text, HasSubstr("***"));
  }
}

TEST(Print, AWrongSecretIsNotShownInItsError) {
  const Loaded loaded = load_text("backends: [{url: http://a:1, api_key: \"sk secret\"}]\n");
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.errors.front(), Not(HasSubstr("sk secret")));
}

TEST(Print, TheSchemaDescribesEveryKeyAndNothingElse) {
  const json schema = json::parse(json_schema());
  EXPECT_EQ(schema["additionalProperties"], false);
  Config config;
  for (const Key& key : describe(config)) {
    std::string pointer = "/properties/";
    for (const char c : key.path) pointer += c == '.' ? "/properties/" : std::string(1, c);
    const json::json_pointer at(pointer);
    ASSERT_TRUE(schema.contains(at)) << key.path;
    EXPECT_EQ(schema[at]["description"], std::string(key.doc));
  }
  EXPECT_EQ(schema["properties"]["policy"]["enum"][0], "resident-set");
}

TEST(Print, TheDocumentationHoldsTheReference) {
  std::ifstream file(TURNPIKE_SOURCE_DIR "/docs/configuration.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(text, HasSubstr(reference())) << "run scripts/generate_configuration_md.sh";
}

TEST(Documentation, ThePageOfPoliciesHasARowAndASectionForEveryPreset) {
  std::ifstream file(TURNPIKE_SOURCE_DIR "/docs/policies.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::string headings;
  for (std::size_t at = text.find("\n### "); at != std::string::npos;
       at = text.find("\n### ", at + 1)) {
    headings += ", " + text.substr(at + 5, text.find('\n', at + 5) - at - 5) + ",";
  }
  for (const std::string_view name : core::preset_names()) {
    EXPECT_THAT(text, HasSubstr("\n| `" + std::string(name) + "`"));
    EXPECT_THAT(headings, HasSubstr(" " + std::string(name) + ","));
  }
}

}  // namespace
}  // namespace turnpike::config
