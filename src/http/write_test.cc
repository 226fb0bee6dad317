#include "http/write.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

namespace turnpike::http {
namespace {

RequestHead request(std::string_view bytes) {
  RequestHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(parse_request_head(bytes, scanned, {}, head).status, ParseStatus::complete);
  return head;
}
ResponseHead response(std::string_view bytes) {
  ResponseHead head;
  std::size_t scanned = 0;
  EXPECT_EQ(parse_response_head(bytes, scanned, {}, false, head).status, ParseStatus::complete);
  return head;
}

TEST(WriteRequestHead, PassesOnlyWhatIsEndToEnd) {
  const RequestHead head = request(
      "POST /v1/chat/completions HTTP/1.0\r\nHost: gateway\r\naccept: */*\r\nConnection: "
      "keep-alive, X-Hop , close\r\n"
      "X-HOP: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: "
      "Basic eA==\r\n"
      "Expect: 100-continue\r\nx-turnpike-endpoint: mine\r\nX-Turnpike-Session-From: "
      "y\r\nX-Turnpike-Reason: x\r\nAuthorization: "
      "Bearer k\r\n"
      "X-Request-Id: theirs\r\nx-turnpike-priority: batch\r\nContent-Length: 3\r\n\r\n");
  const std::array<Field, 1> extra = {{{"x-request-id", "ours"}}};
  std::string out;
  write_request_head(
      out, head,
      {.host = "10.0.0.1:8000", .framing = Framing::length, .content_length = 42, .extra = extra});
  EXPECT_EQ(out,
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 10.0.0.1:8000\r\nContent-Length: "
            "42\r\naccept: */*\r\n"
            "Authorization: Bearer k\r\nx-turnpike-priority: batch\r\nx-request-id: ours\r\n\r\n");
}

TEST(WriteRequestHead, ReplacesAuthorizationAndTarget) {
  const RequestHead head =
      request("GET /a HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer client\r\n\r\n");
  const std::array<Field, 1> extra = {{{"Authorization", "Bearer endpoint"}}};
  std::string out;
  write_request_head(out, head,
                     {.host = "e", .target = "/b", .drop_authorization = true, .extra = extra});
  EXPECT_EQ(out, "GET /b HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer endpoint\r\n\r\n");
  out.clear();
  write_request_head(out, head, {.host = "e", .drop_authorization = true});
  EXPECT_EQ(out, "GET /a HTTP/1.1\r\nHost: e\r\n\r\n");
}

TEST(WriteResponseHead, PassesOnlyWhatIsEndToEnd) {
  const ResponseHead head = response(
      "HTTP/1.1 200 Fine\r\nServer: llama.cpp\r\nKeep-Alive: timeout=5, max=100\r\nConnection: "
      "close\r\n"
      "X-Turnpike-Decision: forged\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: "
      "chunked\r\n\r\n");
  const std::array<Field, 1> extra = {{{"x-turnpike-decision", "cold"}}};
  std::string out;
  write_response_head(out, head, {.framing = Framing::chunked, .extra = extra});
  EXPECT_EQ(out,
            "HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nServer: llama.cpp\r\nContent-Type: "
            "text/event-stream\r\n"
            "x-turnpike-decision: cold\r\n\r\n");
}

TEST(WriteResponseHead, SaysHowTheConnectionGoesOn) {
  const ResponseHead head = response("HTTP/1.1 200 OK\r\n\r\n");
  const auto written = [&head](const ClientResponse& client) {
    std::string out;
    write_response_head(out, head, client);
    return out;
  };
  EXPECT_EQ(written({.framing = Framing::until_close}),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(written({.framing = Framing::length, .keep_alive = false}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(written({.framing = Framing::length, .content_length = 7, .minor_version = 0}),
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(written({.content_length = 9, .announce_length = true}),
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
}

TEST(WriteAnswer, HasLengthTypeAndBody) {
  std::string out;
  const std::array<Field, 1> extra = {{{"Retry-After", "3"}}};
  write_answer(out, 429, "application/json", "{}", true, extra);
  EXPECT_EQ(out,
            "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: "
            "2\r\nRetry-After: 3\r\n\r\n{}");
  out.clear();
  write_answer(out, 200, "text/plain", "ok", false, {}, true);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: "
            "close\r\n\r\n");
}

}  // namespace
}  // namespace turnpike::http
