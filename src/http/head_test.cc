#include "http/head.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::http {
namespace {

using testing::HasSubstr;

ParseResult parse(std::string_view bytes, RequestHead& head, const HeadLimits& limits = {}) {
  std::size_t scanned = 0;
  return parse_request_head(bytes, scanned, limits, head);
}

ParseResult parse_answer(std::string_view bytes, ResponseHead& head,
                         bool answers_head_request = false) {
  std::size_t scanned = 0;
  return parse_response_head(bytes, scanned, {}, answers_head_request, head);
}

constexpr std::string_view kTypical =
    "POST /v1/chat/completions?beta=1 HTTP/1.1\r\n"
    "Host: gateway.example:8080\r\n"
    "Accept: application/json\r\n"
    "User-Agent: OpenAI/Python 1.55.0\r\n"
    "Authorization: Bearer sk-123\r\n"
    "X-Session-ID:  abc\t \r\n"
    "Content-Type: application/json\r\n"
    "Connection: keep-alive\r\n"
    "Content-Length: 17\r\n"
    "\r\n";

TEST(RequestHead, ReadsATypicalHead) {
  RequestHead head;
  const std::string bytes = std::string(kTypical) + "{\"model\":\"m\"} tail";
  const ParseResult result = parse(bytes, head);
  ASSERT_EQ(result.status, ParseStatus::complete);
  EXPECT_EQ(result.consumed, kTypical.size());
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/v1/chat/completions?beta=1");
  EXPECT_EQ(head.path(), "/v1/chat/completions");
  EXPECT_EQ(head.query(), "beta=1");
  EXPECT_EQ(head.authority, "gateway.example:8080");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_EQ(head.framing, Framing::length);
  EXPECT_EQ(head.content_length, 17U);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_FALSE(head.expect_continue);
  ASSERT_NE(head.find("x-session-id"), nullptr);
  EXPECT_EQ(head.find("x-session-id")->value, "abc");
  EXPECT_EQ(head.fields.size(), 8U);
}

TEST(RequestHead, SaysTheSameHoweverItIsSplit) {
  for (std::size_t split = 0; split < kTypical.size(); ++split) {
    std::size_t scanned = 0;
    RequestHead head;
    ASSERT_EQ(parse_request_head(kTypical.substr(0, split), scanned, {}, head).status,
              ParseStatus::incomplete)
        << split;
    const ParseResult result = parse_request_head(kTypical, scanned, {}, head);
    ASSERT_EQ(result.status, ParseStatus::complete) << split;
    EXPECT_EQ(result.consumed, kTypical.size());
    EXPECT_EQ(head.content_length, 17U);
  }
}

TEST(RequestHead, SaysTheSameByteByByte) {
  std::size_t scanned = 0;
  RequestHead head;
  for (std::size_t n = 1; n < kTypical.size(); ++n) {
    ASSERT_EQ(parse_request_head(kTypical.substr(0, n), scanned, {}, head).status,
              ParseStatus::incomplete);
  }
  EXPECT_EQ(parse_request_head(kTypical, scanned, {}, head).status, ParseStatus::complete);
  EXPECT_EQ(scanned, 0U);
}

struct Refused {
  const char* what;
  std::string bytes;
  int status;
};

std::vector<Refused> refused_requests() {
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string get = "GET / HTTP/1.1\r\n";
  return {
      {"TE not chunked", post + "Transfer-Encoding: xchunked\r\n\r\n", 400},
      {"TE chunked, gzip", post + "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
      {"TE gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 400},
      {"TE twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"TE identity", post + "Transfer-Encoding: identity\r\n\r\n", 400},
      {"TE empty", post + "Transfer-Encoding:\r\n\r\n", 400},
      {"TE vertical tab", post + "Transfer-Encoding: \vchunked\r\n\r\n", 400},
      {"TE quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
      {"TE trailing comma", post + "Transfer-Encoding: chunked,\r\n\r\n", 400},
      {"TE with CL", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"CL with TE", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400},
      {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"two equal CL", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
      {"two different CL", post + "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
      {"CL list", post + "Content-Length: 3, 3\r\n\r\n", 400},
      {"CL plus", post + "Content-Length: +3\r\n\r\n", 400},
      {"CL minus", post + "Content-Length: -3\r\n\r\n", 400},
      {"CL hex", post + "Content-Length: 0x3\r\n\r\n", 400},
      {"CL blank inside", post + "Content-Length: 3 3\r\n\r\n", 400},
      {"CL empty", post + "Content-Length: \r\n\r\n", 400},
      {"CL over 63 bits", post + "Content-Length: 9223372036854775808\r\n\r\n", 400},
      {"CL over 64 bits", post + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"no Host", get + "\r\n", 400},
      {"two Host", get + "Host: a\r\nHost: a\r\n\r\n", 400},
      {"Host list", get + "Host: a, b\r\n\r\n", 400},
      {"Host empty", get + "Host:\r\n\r\n", 400},
      {"Host with path", get + "Host: a/b\r\n\r\n", 400},
      {"Host with user", get + "Host: u@a\r\n\r\n", 400},
      {"Host differs from target", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"folded line", get + "Host: a\r\nX: 1\r\n 2\r\n\r\n", 400},
      {"folded first line", get + " Host: a\r\n\r\n", 400},
      {"blank before colon", get + "Host : a\r\n\r\n", 400},
      {"tab before colon", get + "Host\t: a\r\n\r\n", 400},
      {"no colon", get + "Host: a\r\nnonsense\r\n\r\n", 400},
      {"no name", get + "Host: a\r\n: x\r\n\r\n", 400},
      {"name not a token", get + "Host: a\r\nX(Y): x\r\n\r\n", 400},
      {"name above 127", get + "Host: a\r\nX\xc3\xa9: x\r\n\r\n", 400},
      {"NUL in value", get + "Host: a\r\nX: a" + std::string(1, '\0') + "b\r\n\r\n", 400},
      {"NUL in name", get + "Host: a\r\nX" + std::string(1, '\0') + ": b\r\n\r\n", 400},
      {"bare CR in value", get + "Host: a\r\nX: a\rb\r\n\r\n", 400},
      {"bare LF after value", get + "Host: a\nX: b\r\n\r\n", 400},
      {"bare LF everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare LF ends head", get + "Host: a\r\n\n", 400},
      {"DEL in value", get + "Host: a\r\nX: \x7f\r\n\r\n", 400},
      {"escape in value", get + "Host: a\r\nX: \x1b[2J\r\n\r\n", 400},
      {"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 501},
      {"authority form", "GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400},
      {"asterisk of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"other scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"user in target", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"empty authority", "GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target above 127", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two blanks", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"blank in target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab between", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"blank after version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"no version", "GET /\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"TLS hello", "\x16\x03\x01\x02\x00\x01", 400},
      {"method not a token", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"two blank lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"Connection no list of tokens", get + "Host: a\r\nConnection: close x\r\n\r\n", 400},
      {"Connection quoted", get + "Host: a\r\nConnection: \"close\"\r\n\r\n", 400},
      {"Proxy-Connection no list of tokens", get + "Host: a\r\nProxy-Connection: a/b\r\n\r\n", 400},
      {"unknown expectation", post + "Expect: wonders\r\n\r\n", 417},
  };
}

TEST(RequestGuard, RefusesEverythingThatCouldBeReadInTwoWays) {
  for (const Refused& c : refused_requests()) {
    RequestHead head;
    const ParseResult result = parse(c.bytes, head);
    EXPECT_EQ(result.status, ParseStatus::invalid) << c.what;
    EXPECT_EQ(result.http_status, c.status) << c.what << ": " << result.why;
    EXPECT_FALSE(result.why.empty()) << c.what;
  }
}

TEST(RequestGuard, RefusesHoweverItIsSplit) {
  for (const Refused& c : refused_requests()) {
    for (std::size_t split = 0; split <= c.bytes.size(); ++split) {
      std::size_t scanned = 0;
      RequestHead head;
      ParseResult result =
          parse_request_head(std::string_view(c.bytes).substr(0, split), scanned, {}, head);
      if (result.status == ParseStatus::incomplete) {
        result = parse_request_head(c.bytes, scanned, {}, head);
      }
      EXPECT_EQ(result.status, ParseStatus::invalid) << c.what << " split at " << split;
    }
  }
}

TEST(RequestGuard, AcceptsWhatIsUnusualButPlain) {
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::vector<std::string> accepted = {
      get + "\r\n",
      get + "X:\r\n\r\n",
      get + "X:    \r\n\r\n",
      get + "X: caf\xc3\xa9\r\n\r\n",
      get + "X: a\tb\r\n\r\n",
      get + "Connection: , close ,,x\r\n\r\n",
      "\r\n" + get + "\r\n",
      "GET / HTTP/1.1\r\nhOST: [::1]:80\r\n\r\n",
      "GET / HTTP/1.0\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 007\r\n\r\n",
  };
  for (const std::string& bytes : accepted) {
    RequestHead head;
    const ParseResult result = parse(bytes, head);
    EXPECT_EQ(result.status, ParseStatus::complete) << bytes << result.why;
    EXPECT_EQ(result.consumed, bytes.size());
  }
}

TEST(RequestHead, AbsoluteFormBecomesOriginForm) {
  RequestHead head;
  ASSERT_EQ(parse("GET http://A:80/x?y HTTP/1.1\r\nHost: a:80\r\n\r\n", head).status,
            ParseStatus::complete);
  EXPECT_EQ(head.target, "/x?y");
  EXPECT_EQ(head.authority, "a:80");
  ASSERT_EQ(parse("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_EQ(head.target, "/");
}

TEST(RequestHead, KeepAliveFollowsVersionAndConnection) {
  const auto keeps = [](const std::string& version, const std::string& connection) {
    RequestHead head;
    const std::string line = connection.empty() ? "" : "Connection: " + connection + "\r\n";
    EXPECT_EQ(parse("GET / HTTP/" + version + "\r\nHost: a\r\n" + line + "\r\n", head).status,
              ParseStatus::complete);
    return head.keep_alive;
  };
  EXPECT_TRUE(keeps("1.1", ""));
  EXPECT_FALSE(keeps("1.1", "Close"));
  EXPECT_FALSE(keeps("1.1", "upgrade , close"));
  EXPECT_FALSE(keeps("1.0", ""));
  EXPECT_TRUE(keeps("1.0", "Keep-Alive"));
  EXPECT_FALSE(keeps("1.0", "keep-alive, close"));
}

TEST(RequestHead, ExpectContinueCountsInHttp11Only) {
  RequestHead head;
  parse("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-Continue\r\n\r\n", head);
  EXPECT_TRUE(head.expect_continue);
  parse("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n", head);
  EXPECT_FALSE(head.expect_continue);
}

TEST(HeadLimits, HoldAtTheLimit) {
  RequestHead head;
  const std::string line = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string fields;
  for (int i = 0; i < 3; ++i) fields += "X: 1\r\n";
  EXPECT_EQ(parse(line + fields + "\r\n", head, {.max_fields = 4}).status, ParseStatus::complete);
  EXPECT_EQ(parse(line + fields + "\r\n", head, {.max_fields = 3}).http_status, 431);

  const std::string whole = line + "\r\n";
  EXPECT_EQ(parse(whole, head, {.max_bytes = whole.size()}).status, ParseStatus::complete);
  EXPECT_EQ(parse(whole + "body", head, {.max_bytes = whole.size()}).status, ParseStatus::complete);
  EXPECT_EQ(parse(whole, head, {.max_bytes = whole.size() - 1}).http_status, 431);

  const std::string target = "/" + std::string(9, 'x');
  const std::string with_target = "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(parse(with_target, head, {.max_target = 10}).status, ParseStatus::complete);
  EXPECT_EQ(parse(with_target, head, {.max_target = 9}).http_status, 414);

  const std::string method(32, 'M');
  EXPECT_EQ(parse(method + " / HTTP/1.1\r\nHost: a\r\n\r\n", head).status, ParseStatus::complete);
  EXPECT_EQ(parse("M" + method + " / HTTP/1.1\r\nHost: a\r\n\r\n", head).http_status, 400);
}

TEST(HeadLimits, AnEndlessHeadIsRefusedAtTheLimit) {
  std::size_t scanned = 0;
  RequestHead head;
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const HeadLimits limits{.max_bytes = 1000};
  while (bytes.size() < 999) {
    ASSERT_EQ(parse_request_head(bytes, scanned, limits, head).status, ParseStatus::incomplete);
    bytes += 'x';
  }
  bytes += 'x';
  EXPECT_EQ(parse_request_head(bytes, scanned, limits, head).http_status, 431);
}

TEST(ResponseHead, ReadsFraming) {
  struct Case {
    std::string bytes;
    Framing framing;
    bool keep_alive;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::length, true},
      {"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n", Framing::length, true},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Framing::chunked, true},
      {"HTTP/1.1 200 OK\r\n\r\n", Framing::until_close, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", Framing::length, false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n", Framing::length,
       true},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n", Framing::length, false},
      {"HTTP/1.1 204 No Content\r\n\r\n", Framing::none, true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Framing::none, true},
      {"HTTP/1.1 100 Continue\r\n\r\n", Framing::none, true},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", Framing::none, false},
  };
  for (const Case& c : cases) {
    ResponseHead head;
    ASSERT_EQ(parse_answer(c.bytes, head).status, ParseStatus::complete) << c.bytes;
    EXPECT_EQ(head.framing, c.framing) << c.bytes;
    EXPECT_EQ(head.keep_alive, c.keep_alive) << c.bytes;
  }
}

TEST(ResponseHead, AnswersToHeadHaveNoBody) {
  ResponseHead head;
  ASSERT_EQ(parse_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", head, true).status,
            ParseStatus::complete);
  EXPECT_EQ(head.framing, Framing::none);
  EXPECT_EQ(head.content_length, 5U);
  EXPECT_TRUE(head.keep_alive);
}

TEST(ResponseGuard, RefusesWhatCouldBeReadInTwoWays) {
  const std::vector<std::string> refused = {
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1 200 O\nK\r\n\r\n",
      "HTTP/1.1 200 OK\nX: y\n\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
  };
  for (const std::string& bytes : refused) {
    ResponseHead head;
    const ParseResult result = parse_answer(bytes, head);
    EXPECT_EQ(result.status, ParseStatus::invalid) << bytes;
    EXPECT_EQ(result.http_status, 502);
  }
}

TEST(ResponseHead, SaysTheSameHoweverItIsSplit) {
  const std::string_view bytes =
      "HTTP/1.1 200 OK\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (std::size_t split = 0; split < bytes.size(); ++split) {
    std::size_t scanned = 0;
    ResponseHead head;
    ASSERT_EQ(parse_response_head(bytes.substr(0, split), scanned, {}, false, head).status,
              ParseStatus::incomplete);
    ASSERT_EQ(parse_response_head(bytes, scanned, {}, false, head).status, ParseStatus::complete)
        << split;
    EXPECT_EQ(head.framing, Framing::chunked);
  }
}

TEST(Fields, AreClassifiedWithoutRegardToCase) {
  EXPECT_EQ(classify_field("HOST"), FieldKind::host);
  EXPECT_EQ(classify_field("Proxy-Authorization"), FieldKind::hop_by_hop);
  EXPECT_EQ(classify_field("X-Turnpike-Queue-MS"), FieldKind::control);
  EXPECT_EQ(classify_field("X-Turnpike-Priority"), FieldKind::end_to_end);
  EXPECT_EQ(classify_field("Te"), FieldKind::hop_by_hop);
  EXPECT_EQ(classify_field("Transfer-Encodin"), FieldKind::end_to_end);
}

}  // namespace
}  // namespace turnpike::http
