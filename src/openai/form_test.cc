#include "openai/form.h"

#include <string>

#include <gtest/gtest.h>

namespace turnpike::openai {
namespace {

constexpr std::string_view kType = "multipart/form-data; boundary=XX";

std::string part(std::string_view disposition, std::string_view value) {
  return "--XX\r\nContent-Disposition: form-data; " + std::string(disposition) + "\r\n\r\n" +
         std::string(value) + "\r\n";
}

std::string message_of(const std::string& body, std::string_view type = kType) {
  const auto facts = scan_form(type, body);
  return facts ? "" : facts.error().message;
}

TEST(Form, AnUploadSaysItsModelAndTheFileIsSkipped) {
  const std::string file("ID3\0--X\r\n\r\nmodel", 17);
  const std::string body =
      part("name=\"file\"; filename=\"a.mp3\"\r\nContent-Type: audio/mpeg", file) +
      part("name=\"model\"", "whisper-1") + part("name=\"stream\"", "true") +
      part("name=\"user\"", "ann") + part("name=prompt", "as spoken") + "--XX--\r\n";
  const auto facts = scan_form(kType, body);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->model, "whisper-1");
  EXPECT_EQ(body.substr(facts->model_at, facts->model_size), "whisper-1");
  EXPECT_TRUE(facts->stream);
  EXPECT_EQ(facts->user, "ann");
  EXPECT_EQ(facts->prompt.media, 1U);
  EXPECT_EQ(facts->prompt.text_bytes, std::string_view("whisper-1trueannas spoken").size());
  EXPECT_NE(facts->prompt_hash, 0U);
}

TEST(Form, TheBoundaryMayBeQuotedAndAPreambleStandBeforeIt) {
  const std::string body = "for old readers\r\n" + part("name=\"model\"", "m") + "--XX--";
  const auto facts = scan_form("Multipart/Form-Data; charset=utf-8; Boundary=\"XX\"; x=y", body);
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_EQ(facts->model, "m");
}

TEST(Form, WhatIsNoFormIsSaidSo) {
  const std::string model = part("name=\"model\"", "m");
  EXPECT_EQ(message_of(model + "--XX--"), "");
  EXPECT_EQ(message_of(model + "--XX--", "multipart/form-data"),
            "The body is not a multipart form: its content-type names no boundary of 1 to 70 "
            "characters.");
  EXPECT_EQ(message_of(model + "--XX--", "multipart/form-data; boundary=" + std::string(71, 'b')),
            "The body is not a multipart form: its content-type names no boundary of 1 to 70 "
            "characters.");
  EXPECT_EQ(message_of("{}"),
            "The body is not a multipart form: its boundary does not occur in it.");
  EXPECT_EQ(message_of(model), "The body is not a multipart form: its last part has no end.");
  EXPECT_EQ(message_of(model + "--XX and more"),
            "The body is not a multipart form: a part has no head.");
  EXPECT_EQ(message_of(part("filename=\"x\"", "y") + "--XX--"),
            "The body is not a multipart form: a part has no name.");
  EXPECT_EQ(message_of("--XX\r\n" + std::string(9000, 'h') + ": 1\r\n\r\nx\r\n--XX--"),
            "The body is not a multipart form: a part has no head.");
}

TEST(Form, TheModelIsRequiredOnce) {
  EXPECT_EQ(message_of(part("name=\"user\"", "u") + "--XX--"), "'model' is missing.");
  EXPECT_EQ(message_of(part("name=\"model\"", "") + "--XX--"),
            "'model' must be a non-empty string.");
  EXPECT_EQ(message_of(part("name=\"model\"", "a") + part("name=\"model\"", "b") + "--XX--"),
            "'model' is given twice.");
  EXPECT_EQ(message_of(part("name=\"model\"; filename=\"m\"", "a") + "--XX--"),
            "'model' is missing.");
}

TEST(Form, EveryTruncationIsAnErrorAndNothingWorse) {
  const std::string whole =
      part("name=\"model\"", "m") + part("name=\"file\"; filename=f", "x") + "--XX--";
  for (std::size_t size = 0; size + 2 < whole.size(); ++size)
    EXPECT_FALSE(scan_form(kType, std::string(whole, 0, size))) << size;
  EXPECT_TRUE(scan_form(kType, whole));
}

TEST(Form, OnlyItsContentTypeMakesAForm) {
  EXPECT_TRUE(is_form("multipart/form-data; boundary=x"));
  EXPECT_TRUE(is_form("Multipart/Form-Data"));
  EXPECT_FALSE(is_form("multipart/mixed; boundary=x"));
  EXPECT_FALSE(is_form("application/json"));
}

}  // namespace
}  // namespace turnpike::openai
