#include "http/chunk.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace turnpike::http {
namespace {

struct Outcome {
  std::string body;
  std::size_t consumed = 0;
  bool done = false;
  bool error = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `parts` one after the other until the decoder will take no more.
Outcome decode(const std::vector<std::string>& parts, const ChunkLimits& limits = {}) {
  ChunkDecoder decoder(limits);
  Outcome outcome;
  for (std::string_view part : parts) {
    while (!part.empty() && !decoder.done() && !decoder.failed()) {
      const ChunkDecoder::Step step = decoder.feed(part);
      outcome.body += step.data;
      outcome.consumed += step.consumed;
      part.remove_prefix(step.consumed);
    }
  }
  outcome.done = decoder.done();
  outcome.error = decoder.failed();
  return outcome;
}

constexpr std::string_view kBody =
    "5\r\nhello\r\n1;a=b;c=\"d\"\r\n,\r\n00A\r\n 0123\r\n678\r\n0;last\r\nExpires: never\r\nX-Y: "
    "z\r\n\r\n";

TEST(ChunkDecoder, GivesTheBodyAndLeavesWhatFollows) {
  const Outcome outcome = decode({std::string(kBody) + "GET / HTTP/1.1"});
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.body, "hello, 0123\r\n678");
  EXPECT_EQ(outcome.consumed, kBody.size());
}

TEST(ChunkDecoder, SaysTheSameHoweverItIsSplit) {
  const Outcome whole = decode({std::string(kBody)});
  std::vector<std::string> bytes;
  for (const char c : kBody) bytes.emplace_back(1, c);
  EXPECT_EQ(decode(bytes), whole);
  for (std::size_t split = 0; split <= kBody.size(); ++split) {
    EXPECT_EQ(decode({std::string(kBody.substr(0, split)), std::string(kBody.substr(split))}),
              whole)
        << split;
  }
}

TEST(ChunkDecoder, RefusesWhatCouldBeReadInTwoWays) {
  const std::vector<std::string> refused = {
      "\r\n",
      "x\r\n",
      "0x5\r\nhello\r\n",
      "+5\r\nhello\r\n",
      "-5\r\nhello\r\n",
      " 5\r\nhello\r\n",
      "5 \r\nhello\r\n",
      "5\t;a\r\nhello\r\n",
      "5\nhello\r\n",
      "5\rhello\r\n",
      "5\r\nhello\n",
      "5\r\nhelloX\r\n",
      "5\r\nhello\r\r\n",
      "5;a\nb\r\nhello\r\n",
      "5;a\rb\r\nhello\r\n",
      std::string("5;a\0\r\nhello\r\n", 14),
      "0\r\nX: y\n\r\n",
      "0\r\n X: y\r\n\r\n",
      "0\r\n: y\r\n\r\n",
      "0\r\nX: \x01\r\n\r\n",
      "0\r\n\rX",
      "0\n\n",
      "FFFFFFFFFFFFFFFFF\r\n",
      "10000000000000000\r\n",
  };
  for (const std::string& bytes : refused) {
    const Outcome outcome = decode({bytes});
    EXPECT_TRUE(outcome.error) << testing::PrintToString(bytes);
    EXPECT_FALSE(outcome.done);
  }
}

TEST(ChunkDecoder, BoundsHoldAtTheLimit) {
  EXPECT_TRUE(decode({"a\r\n0123456789\r\n0\r\n\r\n"}, {.max_chunk = 10}).done);
  EXPECT_TRUE(decode({"b\r\n0123456789a\r\n0\r\n\r\n"}, {.max_chunk = 10}).error);
  // The bound on extensions is for the whole body: 2 + 2 bytes.
  EXPECT_TRUE(decode({"1;a\r\nx\r\n0;b\r\n\r\n"}, {.max_extensions = 4}).done);
  EXPECT_TRUE(decode({"1;a\r\nx\r\n0;b\r\n\r\n"}, {.max_extensions = 3}).error);
  EXPECT_TRUE(decode({"0\r\nA: b\r\n\r\n"}, {.max_trailers = 4}).done);
  EXPECT_TRUE(decode({"0\r\nA: b\r\n\r\n"}, {.max_trailers = 3}).error);
}

TEST(ChunkDecoder, LeadingZerosOfASizeCannotOverflow) {
  EXPECT_TRUE(decode({std::string(100, '0') + "1\r\nx\r\n0\r\n\r\n"}).done);
}

TEST(ChunkDecoder, TakesNothingAfterTheEndOrAnError) {
  ChunkDecoder decoder;
  EXPECT_TRUE(decoder.feed("0\r\n\r\n").done);
  EXPECT_EQ(decoder.feed("5\r\nhello\r\n").consumed, 0U);
  decoder.reset();
  EXPECT_TRUE(decoder.feed("zz").error);
  EXPECT_EQ(decoder.feed("0\r\n\r\n").consumed, 0U);
  EXPECT_TRUE(decoder.failed());
}

TEST(ChunkWriter, WritesWhatTheDecoderReads) {
  std::string out;
  write_chunk(out, std::string(300, 'x'));
  write_chunk(out, "y");
  out += kLastChunk;
  EXPECT_TRUE(out.starts_with("12c\r\nxxx"));
  const Outcome outcome = decode({out});
  EXPECT_TRUE(outcome.done);
  EXPECT_EQ(outcome.body, std::string(300, 'x') + "y");
}

}  // namespace
}  // namespace turnpike::http
