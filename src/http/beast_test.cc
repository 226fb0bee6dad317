#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "http/beast_test_support.h"

namespace turnpike::http {
namespace {

TEST(DifferentialWithBeast, AgreesOnWhatWeAccept) {
  const std::vector<std::string> heads = {
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
      "\r\nPOST /x?y=z HTTP/1.1\r\nhost: a:1\r\nContent-Length: 0012\r\nX:\r\nY:  a \t b "
      "\t\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\nConnection: a, close\r\n\r\n",
      "GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a\r\nX: caf\xc3\xa9\r\n\r\n",
      "M-SEARCH / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  };
  for (const std::string& head : heads) EXPECT_EQ(differs_from_beast(head), "") << head;
}

// Heads put together from pieces that matter to framing, most of them nearly valid.
TEST(DifferentialWithBeast, AgreesOnManyMadeUpHeads) {
  rc::check([] {
    const auto line = *rc::gen::elementOf(std::vector<std::string>{
        "GET / HTTP/1.1\r\n", "POST /a HTTP/1.1\r\n", "POST /a HTTP/1.0\r\n",
        "GET http://a/ HTTP/1.1\r\n", "\r\nGET / HTTP/1.1\r\n"});
    const auto fields =
        *rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::vector<std::string>{
            "Host: a\r\n", "Host: a\r\n", "Content-Length: 5\r\n", "Content-Length:\t07 \r\n",
            "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
            "Connection: close\r\n", "Connection: keep-alive, x\r\n", "Upgrade: h2c\r\n",
            "X-Y: \xff z\r\n", "X-Y:\r\n", " folded\r\n", "Expect: 100-continue\r\n",
            "Connection: upgrade\r\n", "A:b\r\n"}));
    std::string head = line;
    for (const std::string& field : fields) head += field;
    head += "\r\n";
    RC_ASSERT(differs_from_beast(head).empty());
  });
}

}  // namespace
}  // namespace turnpike::http
