#include "http/sse.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace turnpike::http {
namespace {

struct Seen {
  std::vector<std::string> data;
  std::string raw;  // of all events, and what was pending at the end
  std::size_t events = 0;
  std::size_t fragments = 0;
};

Seen scan(const std::vector<std::string>& reads, std::size_t max_event = 1000) {
  SseScanner scanner(max_event);
  Seen seen;
  for (const std::string& read : reads) {
    std::string_view in = read;
    while (const auto event = scanner.next(in)) {
      ++seen.events;
      seen.raw += event->raw;
      if (event->fragment) ++seen.fragments;
      if (event->has_data) seen.data.emplace_back(event->data);
    }
    EXPECT_TRUE(in.empty());
  }
  seen.raw += scanner.pending();
  return seen;
}

using Lines = std::vector<std::string>;

TEST(SseScanner, KnowsTheThreeLineEnds) {
  for (const std::string end : {"\n", "\r\n", "\r"}) {
    const std::string stream = "data: one" + end + end + ": comment" + end + end + "event: x" +
                               end + "data:two" + end + "data: three" + end + end;
    const Seen seen = scan({stream});
    EXPECT_EQ(seen.data, (Lines{"one", "two\nthree"}));
    EXPECT_EQ(seen.events, 3U);
    EXPECT_EQ(seen.raw, stream);
  }
}

TEST(SseScanner, SaysTheSameHoweverItIsSplit) {
  const std::string stream =
      "\xEF\xBB\xBF"
      "data: {\"a\":1}\r\n\r\ndata: b\rdata: c\r\rdata: d\n\ndata\n\n: ping\n\nevent: e\nid: "
      "1\ndata:  f\n\ndata: tail";
  const Seen whole = scan({stream});
  EXPECT_EQ(whole.data, (Lines{"{\"a\":1}", "b\nc", "d", "", " f"}));
  EXPECT_EQ(whole.raw, stream);
  Lines bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  EXPECT_EQ(scan(bytes).data, whole.data);
  EXPECT_EQ(scan(bytes).raw, stream);
  for (std::size_t split = 0; split <= stream.size(); ++split) {
    const Seen seen = scan({stream.substr(0, split), stream.substr(split)});
    EXPECT_EQ(seen.data, whole.data) << split;
    EXPECT_EQ(seen.raw, stream) << split;
  }
}

TEST(SseScanner, GivesTheTypeOfAnEvent) {
  SseScanner scanner;
  std::string_view in = "event: content_block_delta\ndata: {}\n\n";
  const auto event = scanner.next(in);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "content_block_delta");
  EXPECT_EQ(event->data, "{}");
}

TEST(SseScanner, AnEventInOneReadIsNotCopied) {
  SseScanner scanner;
  const std::string read = "data: x\n\n";
  std::string_view in = read;
  const auto event = scanner.next(in);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->raw.data(), read.data());
  EXPECT_EQ(event->data.data(), read.data() + 6);
}

TEST(SseScanner, BoundHoldsAtTheLimit) {
  const std::string fits = "data: 0123";
  EXPECT_EQ(scan({fits, "\n\n"}, fits.size()).fragments, 0U);
  EXPECT_EQ(scan({fits, "4\n\n"}, fits.size()).fragments, 0U)
      << "its end came with it: nothing was held";
  EXPECT_GT(scan({fits + "4", "\n\n"}, fits.size()).fragments, 0U);
}

TEST(SseScanner, PassesAnEventOverTheBoundAndGoesOn) {
  const std::string huge = "data: " + std::string(5000, 'x') + "\n\n";
  const std::string stream = "data: a\n\n" + huge + "data: b\n\n";
  for (const std::size_t read_size : {1U, 7U, 100U, 4000U}) {
    Lines reads;
    for (std::size_t at = 0; at < stream.size(); at += read_size)
      reads.push_back(stream.substr(at, read_size));
    const Seen seen = scan(reads, 1000);
    EXPECT_EQ(seen.data, (Lines{"a", "b"})) << read_size;
    EXPECT_GT(seen.fragments, 0U);
    EXPECT_EQ(seen.raw, stream);
  }
}

TEST(SseScanner, NeverHoldsMoreThanTheBound) {
  SseScanner scanner(100);
  for (int i = 0; i < 1000; ++i) {
    std::string_view in = "x";
    while (scanner.next(in)) {
    }
    ASSERT_LE(scanner.pending().size(), 100U);
  }
}

TEST(SseScanner, RawBytesAreTheStreamForAnyBytesAndAnySplit) {
  rc::check([] {
    const auto stream =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("\r\n\n: datx")));
    const auto cut = *rc::gen::inRange<std::size_t>(0, stream.size() + 1);
    const auto bound = *rc::gen::inRange<std::size_t>(1, 30);
    const Seen split = scan({stream.substr(0, cut), stream.substr(cut)}, bound);
    RC_ASSERT(split.raw == stream);
    if (split.fragments == 0) RC_ASSERT(split.data == scan({stream}).data);
  });
}

}  // namespace
}  // namespace turnpike::http
