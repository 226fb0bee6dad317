#include "openai/error_body.h"

#include <gtest/gtest.h>

namespace turnpike::openai {
namespace {

TEST(ErrorBody, HasTheShapeOfTheDialect) {
  EXPECT_EQ(
      error_body(Dialect::openai, Trouble::bad_body, "'model' is missing.", "model"),
      R"({"error":{"message":"'model' is missing.","type":"invalid_request_error","param":"model","code":"invalid_body"}})");
  EXPECT_EQ(error_body(Dialect::openai, 500, "server_error", "", "", "x"),
            R"({"error":{"message":"x","type":"server_error","param":null,"code":null}})");
  EXPECT_EQ(error_body(Dialect::anthropic, Trouble::saturated, "full"),
            R"({"type":"error","error":{"type":"overloaded_error","message":"full"}})");
}

TEST(ErrorBody, BecomesAnEventOnceAStreamHasBegun) {
  EXPECT_EQ(error_event(Dialect::openai, Trouble::upstream_died, "gone"),
            "data: "
            "{\"error\":{\"message\":\"gone\",\"type\":\"server_error\",\"param\":null,\"code\":"
            "\"upstream_died\"}}\n\n");
  EXPECT_EQ(
      error_event(Dialect::anthropic, Trouble::stream_idle, "silent"),
      "event: error\ndata: "
      "{\"type\":\"error\",\"error\":{\"type\":\"timeout_error\",\"message\":\"silent\"}}\n\n");
}

TEST(ErrorBody, EscapesWhatPeersSent) {
  std::string out;
  append_json_string(
      out, std::string_view("a\"b\\c\nd\0\x1f\x7f\xc3\xa9 \xff \xed\xa0\x80 \xf0\x9f\x98\x80", 23));
  EXPECT_EQ(out,
            "\"a\\\"b\\\\c\\nd\\u0000\\u001f\\u007f\xc3\xa9 \xEF\xBF\xBD "
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xf0\x9f\x98\x80\"");
}

TEST(TroubleTable, SaysWhatABadDayLooksLike) {
  struct Row {
    Trouble trouble;
    int status;
    std::string_view reason;
    bool retry_after;
  };
  for (const Row& row : {Row{Trouble::bad_body, 400, "bad-request", false},
                         Row{Trouble::unauthorized, 401, "unauthorized", false},
                         Row{Trouble::unknown_model, 404, "unknown-model", false},
                         Row{Trouble::models_unknown, 503, "models-unknown", true},
                         Row{Trouble::body_too_large, 413, "body-too-large", false},
                         Row{Trouble::head_too_large, 431, "head-too-large", false},
                         Row{Trouble::queue_full, 429, "queue-full", true},
                         Row{Trouble::tenant_queue_full, 429, "tenant-queue-full", true},
                         Row{Trouble::displaced, 429, "displaced", true},
                         Row{Trouble::predicted_wait, 429, "predicted-wait", true},
                         Row{Trouble::queue_timeout, 504, "queue-timeout", true},
                         Row{Trouble::no_endpoint, 503, "no-endpoint", true},
                         Row{Trouble::first_byte_timeout, 504, "first-byte-timeout", false},
                         Row{Trouble::unreachable, 502, "attempts-exhausted", true}}) {
    const TroubleFacts& facts = facts_of(row.trouble);
    EXPECT_EQ(facts.status, row.status) << row.reason;
    EXPECT_EQ(facts.reason, row.reason);
    EXPECT_EQ(facts.retry_after, row.retry_after) << row.reason;
  }
}

TEST(TroubleTable, HasARowForEveryTrouble) {
  for (int i = 0; i <= static_cast<int>(Trouble::stream_idle); ++i) {
    const TroubleFacts& facts = facts_of(static_cast<Trouble>(i));
    EXPECT_GE(facts.status, 400);
    EXPECT_FALSE(facts.message.empty());
  }
}

TEST(TroubleTable, AgreesWithTheReasonsOfTheCore) {
  for (int i = 0; i <= static_cast<int>(core::RejectReason::shutting_down); ++i) {
    const auto reason = static_cast<core::RejectReason>(i);
    EXPECT_EQ(facts_of(trouble_of(reason)).reason, core::to_string(reason));
  }
}

TEST(TroubleTable, AgreesWithTheStatusOfRefusedHeads) {
  for (const int status : {400, 414, 417, 431, 501, 505})
    EXPECT_EQ(facts_of(trouble_of_head(status)).status, status);
}

}  // namespace
}  // namespace turnpike::openai
