#include "gateway/answer_relay.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::gateway {
namespace {

using State = AnswerRelay::State;

// What the client gets when the endpoint's bytes come in pieces of `step` bytes.
struct Relayed {
  std::string out;
  State state = State::more;
};
Relayed relay_in_steps(AnswerRelay& relay, std::string_view bytes, std::size_t step) {
  Relayed result;
  while (!bytes.empty() && result.state == State::more) {
    // A copy that is gone after the call: views that outlive it would be seen.
    const std::string piece(bytes.substr(0, step));
    bytes.remove_prefix(piece.size());
    std::vector<iovec> out;
    result.state = relay.feed(piece, out);
    for (const iovec& part : out)
      result.out.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return result;
}

std::string chunked(const std::vector<std::string>& chunks) {
  std::string body;
  for (const std::string& chunk : chunks) http::write_chunk(body, chunk);
  return body + "0\r\n\r\n";
}

std::string dechunk(std::string_view bytes) {
  http::ChunkDecoder decoder;
  std::string body;
  while (!bytes.empty() && !decoder.done()) {
    const auto step = decoder.feed(bytes);
    EXPECT_FALSE(step.error);
    body += step.data;
    bytes.remove_prefix(step.consumed);
  }
  EXPECT_TRUE(decoder.done());
  EXPECT_TRUE(bytes.empty());
  return body;
}

const std::string kRole =
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
const std::string kToken = "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n";
const std::string kUsage =
    "data: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"prompt_tokens_"
    "details\":{\"cached_tokens\":4}}}\n\n";
const std::string kDone = "data: [DONE]\n\n";

AnswerShape stream_shape(bool hide) {
  return {.from = http::Framing::chunked,
          .to = http::Framing::chunked,
          .event_stream = true,
          .read_usage = true,
          .hide_usage = hide};
}

TEST(AnswerRelay, HidesTheUsageEventThatTheClientDidNotAskForHoweverTheBytesCome) {
  const std::string body = chunked({kRole, kToken + kToken, kUsage, kDone});
  for (std::size_t step = 1; step <= body.size(); ++step) {
    AnswerRelay relay(stream_shape(true));
    const Relayed result = relay_in_steps(relay, body, step);
    ASSERT_EQ(result.state, State::done) << step;
    ASSERT_EQ(dechunk(result.out), kRole + kToken + kToken + kDone) << step;
    ASSERT_EQ(relay.usage().prompt_tokens, TokenCount(7));
    ASSERT_EQ(relay.usage().cached_tokens, TokenCount(4));
    ASSERT_EQ(relay.usage().output_tokens, TokenCount(2));
    ASSERT_EQ(relay.events(), 5U);
    ASSERT_FALSE(relay.has_excess());
  }
}

TEST(AnswerRelay, PassesTheUsageEventOnWhereItWasAskedFor) {
  AnswerRelay relay(stream_shape(false));
  const Relayed result = relay_in_steps(relay, chunked({kRole, kToken, kUsage, kDone}), 1000);
  EXPECT_EQ(dechunk(result.out), kRole + kToken + kUsage + kDone);
  EXPECT_EQ(relay.usage().prompt_tokens, TokenCount(7));
}

TEST(AnswerRelay, TheRoleEventIsNotTheFirstToken) {
  AnswerRelay relay(stream_shape(false));
  std::vector<iovec> out;
  std::string piece;
  http::write_chunk(piece, kRole);
  relay.feed(piece, out);
  EXPECT_FALSE(relay.first_token_seen());
  piece.clear();
  http::write_chunk(piece, kToken);
  relay.feed(piece, out);
  EXPECT_TRUE(relay.first_token_seen());
}

TEST(AnswerRelay, AHalfEventAtTheEndIsPassedOn) {
  AnswerRelay relay(stream_shape(true));
  const Relayed result = relay_in_steps(relay, chunked({kToken, "data: {\"half"}), 1000);
  EXPECT_EQ(result.state, State::done);
  EXPECT_EQ(dechunk(result.out), kToken + "data: {\"half");
}

TEST(AnswerRelay, AnEventLargerThanTheScannerHoldsIsPassedThrough) {
  const std::string big = "data: " + std::string(600'000, 'x') + "\n\n";
  AnswerRelay relay(stream_shape(true));
  const Relayed result = relay_in_steps(relay, chunked({big, kToken, kUsage, kDone}), 65536);
  EXPECT_EQ(dechunk(result.out), big + kToken + kDone);
}

TEST(AnswerRelay, CountedBodiesKeepTheirBytesAndTellTheirUsage) {
  const std::string body =
      R"({"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":3}})";
  for (std::size_t step = 1; step <= body.size(); step += 7) {
    AnswerRelay relay({.from = http::Framing::length,
                       .content_length = body.size(),
                       .to = http::Framing::length,
                       .read_usage = true});
    const Relayed result = relay_in_steps(relay, body, step);
    EXPECT_EQ(result.state, State::done);
    EXPECT_EQ(result.out, body);
    EXPECT_EQ(relay.usage().prompt_tokens, TokenCount(5));
    EXPECT_EQ(relay.usage().output_tokens, TokenCount(3));
    EXPECT_TRUE(relay.first_token_seen());
  }
}

TEST(AnswerRelay, ExcessBehindTheBodyIsNoticedAndNotRelayed) {
  AnswerRelay relay(
      {.from = http::Framing::length, .content_length = 3, .to = http::Framing::length});
  const Relayed result = relay_in_steps(relay, "abcdef", 100);
  EXPECT_EQ(result.state, State::done);
  EXPECT_EQ(result.out, "abc");
  EXPECT_TRUE(relay.has_excess());
}

TEST(AnswerRelay, AnEarlyCloseIsBrokenUnlessThatIsHowTheBodyEnds) {
  std::vector<iovec> out;
  AnswerRelay counted(
      {.from = http::Framing::length, .content_length = 3, .to = http::Framing::length});
  EXPECT_EQ(counted.feed("ab", out), State::more);
  EXPECT_EQ(counted.end_of_input(out), State::broken);

  AnswerRelay in_chunks({.from = http::Framing::chunked, .to = http::Framing::chunked});
  EXPECT_EQ(in_chunks.feed("3\r\nab", out), State::more);
  EXPECT_EQ(in_chunks.end_of_input(out), State::broken);

  out.clear();
  AnswerRelay closing({.from = http::Framing::until_close, .to = http::Framing::chunked});
  EXPECT_EQ(closing.feed("ab", out), State::more);
  EXPECT_EQ(closing.end_of_input(out), State::done);
  std::string text;
  for (const iovec& part : out) text.append(static_cast<const char*>(part.iov_base), part.iov_len);
  EXPECT_EQ(text.substr(text.size() - 5), "0\r\n\r\n");
}

TEST(AnswerRelay, NonsenseInPlaceOfAChunkIsBroken) {
  std::vector<iovec> out;
  AnswerRelay relay(stream_shape(true));
  EXPECT_EQ(relay.feed("xyz\r\n", out), State::broken);
}

TEST(ClientFraming, TellsHowTheClientWillSeeTheEnd) {
  http::ResponseHead head;
  head.framing = http::Framing::length;
  EXPECT_EQ(client_framing(head, 1, false), http::Framing::length);
  EXPECT_EQ(client_framing(head, 1, true), http::Framing::chunked)
      << "an edited stream has no known length";
  EXPECT_EQ(client_framing(head, 0, true), http::Framing::until_close);
  head.framing = http::Framing::chunked;
  EXPECT_EQ(client_framing(head, 1, false), http::Framing::chunked);
  EXPECT_EQ(client_framing(head, 0, false), http::Framing::until_close);
  head.framing = http::Framing::until_close;
  EXPECT_EQ(client_framing(head, 1, false), http::Framing::chunked);
  head.framing = http::Framing::none;
  EXPECT_EQ(client_framing(head, 1, true), http::Framing::none);
}

}  // namespace
}  // namespace turnpike::gateway
