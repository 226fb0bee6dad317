#include "app/engine/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace turnpike::app {
namespace {

using nlohmann::json;

json event(const std::string& text) {
  EXPECT_TRUE(text.starts_with("data: ")) << text;
  EXPECT_TRUE(text.ends_with("\n\n")) << text;
  return json::parse(text.substr(6));
}

TEST(AnswerWriter, ChatEvents) {
  const AnswerWriter writer(Api::chat, "7", "tiny \"x\"", 1795247045);
  std::string text;
  writer.begin(text);
  json role = event(text);
  EXPECT_EQ(role["id"], "chatcmpl-7");
  EXPECT_EQ(role["object"], "chat.completion.chunk");
  EXPECT_EQ(role["model"], "tiny \"x\"");
  EXPECT_EQ(role["choices"][0]["delta"]["role"], "assistant");
  EXPECT_EQ(role["choices"][0]["delta"]["content"], "");

  text.clear();
  writer.token(text, " abc", "");
  EXPECT_EQ(event(text)["choices"][0]["delta"]["content"], " abc");
  EXPECT_TRUE(event(text)["choices"][0]["finish_reason"].is_null());

  text.clear();
  writer.token(text, " abc", "length");
  EXPECT_EQ(event(text)["choices"][0]["finish_reason"], "length");

  text.clear();
  writer.usage(text,
               {.prompt = TokenCount(904), .cached = TokenCount(896), .completion = TokenCount(6)});
  const json usage = event(text);
  EXPECT_TRUE(usage["choices"].empty());
  EXPECT_EQ(usage["usage"]["total_tokens"], 910);
  EXPECT_EQ(usage["usage"]["prompt_tokens_details"]["cached_tokens"], 896);
}

TEST(AnswerWriter, CompletionEvents) {
  const AnswerWriter writer(Api::completion, "7", "tiny", 1);
  std::string text;
  writer.begin(text);
  EXPECT_TRUE(text.empty());
  writer.token(text, " abc", "stop");
  const json last = event(text);
  EXPECT_EQ(last["object"], "text_completion");
  EXPECT_EQ(last["id"], "cmpl-7");
  EXPECT_EQ(last["choices"][0]["text"], " abc");
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
}

TEST(AnswerWriter, WholeAnswers) {
  const Usage usage{.prompt = TokenCount(10), .cached = TokenCount(0), .completion = TokenCount(2)};
  const json chat =
      json::parse(AnswerWriter(Api::chat, "7", "m", 1).whole(" abc def", "length", usage));
  EXPECT_EQ(chat["object"], "chat.completion");
  EXPECT_EQ(chat["choices"][0]["message"]["content"], " abc def");
  EXPECT_EQ(chat["usage"]["completion_tokens"], 2);
  const json completion =
      json::parse(AnswerWriter(Api::completion, "7", "m", 1).whole(" abc", "stop", usage));
  EXPECT_EQ(completion["object"], "text_completion");
  EXPECT_EQ(completion["choices"][0]["text"], " abc");
}

TEST(Wire, ErrorsHaveVllmsShape) {
  const json error = json::parse(error_body(unknown_model("a\"b")))["error"];
  EXPECT_EQ(error["message"], "The model `a\"b` does not exist.");
  EXPECT_EQ(error["type"], "NotFoundError");
  EXPECT_EQ(error["param"], "model");
  EXPECT_EQ(error["code"], 404);
  EXPECT_TRUE(json::parse(error_body({.message = "x"}))["error"]["param"].is_null());
}

TEST(Wire, NamesThatAreNotUtf8AreAnsweredAnyway) {
  EXPECT_NO_THROW(error_body(unknown_model("\xff\xfe")));
}

TEST(Wire, Models) {
  const json models = json::parse(models_body("tiny", TokenCount(16384), 1));
  EXPECT_EQ(models["data"][0]["id"], "tiny");
  EXPECT_EQ(models["data"][0]["max_model_len"], 16384);
}

}  // namespace
}  // namespace turnpike::app
