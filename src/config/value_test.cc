#include "config/value.h"

#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "config/check.h"
#include "config/nearest.h"

namespace turnpike::config {
namespace {

using namespace std::chrono_literals;

TEST(Value, Durations) {
  const std::vector<std::pair<std::string_view, Duration>> good = {
      {"60s", 60s},   {"50ms", 50ms},  {"10min", 10min}, {"10m", 10min},
      {"1m30s", 90s}, {"1.5h", 90min}, {"250us", 250us}, {"7ns", 7ns},
      {"0", 0ns},     {"0s", 0ns},     {"off", kForever}};
  for (const auto& [text, duration] : good) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, duration) << text;
  }
  for (const std::string_view text :
       {"", "60", "s", "-1s", "1x", "1s2", "1 s", "1e9s", "1..5s", "99999h99999999h", "forever"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

TEST(Value, GoDurationsMayBeNegative) {
  EXPECT_EQ(*parse_go_duration("-1m30s"), -90s);
  EXPECT_EQ(*parse_go_duration("+5s"), 5s);
  EXPECT_FALSE(parse_go_duration("--5s"));
}

TEST(Value, Sizes) {
  EXPECT_EQ(*parse_size("64MiB"), ByteCount(64 << 20));
  EXPECT_EQ(*parse_size("64 KiB"), ByteCount(64 << 10));
  EXPECT_EQ(*parse_size("1.5KB"), ByteCount(1'500));
  EXPECT_EQ(*parse_size("512"), ByteCount(512));
  for (const std::string_view text : {"", "MiB", "-1", "1XB", "1MiBs", "99999999999GiB"})
    EXPECT_FALSE(parse_size(text)) << text;
}

TEST(Value, GoBooleans) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    EXPECT_TRUE(*parse_go_bool(yes));
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    EXPECT_FALSE(*parse_go_bool(no));
  for (const std::string_view bad : {"", "yes", "on", "tRUE"})
    EXPECT_FALSE(parse_go_bool(bad).has_value());
}

RC_GTEST_PROP(Value, WhatIsFormattedIsReadBack, ()) {
  const Duration duration(*rc::gen::inRange<std::int64_t>(0, 3'000'000'000'000'000));
  RC_ASSERT(*parse_duration(format_duration(duration)) == duration);
  const ByteCount size(*rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 50));
  RC_ASSERT(*parse_size(format_size(size)) == size);
}

TEST(Nearest, FindsSlipsAndNothingElse) {
  const std::vector<std::string> words = {"listen", "limits", "timeouts"};
  EXPECT_EQ(nearest("listn", words), "listen");
  EXPECT_EQ(nearest("tiemouts", words), "timeouts");
  EXPECT_EQ(nearest("zebra", words), "");
  EXPECT_EQ(nearest(std::string(100'000, 'l'), words), "");
}

TEST(Check, ListenAddresses) {
  for (const std::string_view good : {"127.0.0.1:0", "[::1]:65535", "localhost:1", ":80", "*:80"})
    EXPECT_EQ(check_listen_address(good), "");
  for (const std::string_view bad :
       {"", "a", "a:", "a:b", "a:65536", "::1:80", "[::1:80", "a b:1", "a:-1"})
    EXPECT_NE(check_listen_address(bad), "") << bad;
}

TEST(Check, BackendUrls) {
  for (const std::string_view good : {"http://a", "http://a:80", "http://a:80/base/",
                                      "http://[::1]:80", "https://a", "https://a:8443/base"})
    EXPECT_EQ(check_backend_url(good), "");
  for (const std::string_view bad :
       {"", "a:80", "ftp://a", "https:/a", "https://", "http://", "http://:80", "http://a:0",
        "http://a:65536", "http://u@a", "http://a?x", "http://a b", "http://a:x/y"}) {
    EXPECT_NE(check_backend_url(bad), "") << bad;
  }
}

}  // namespace
}  // namespace turnpike::config
