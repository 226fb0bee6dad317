#include "config/value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.h"

namespace turnpike::config {

namespace {

struct Unit {
  std::string_view name;
  double size;
};
constexpr auto kDurations = std::to_array<Unit>({
    {"ns", 1},
    {"us", 1e3},
    {"\xc2\xb5s", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"min", 60e9},
    {"m", 60e9},
    {"h", 3600e9},
});
constexpr auto kSizes = std::to_array<Unit>({
    {"", 1},
    {"B", 1},
    {"KiB", 1024},
    {"MiB", 1048576},
    {"GiB", 1073741824},
    {"KB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
});

// The number at the front of `text`, which it is taken off; nothing if there is none.
bool take_number(std::string_view& text, double& number) {
  if (text.empty() || !(is_digit(text.front()) || text.front() == '.')) return false;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && !is_digit(text[n]) && text[n] != '.') ++n;
  const std::string_view letters = text.substr(0, n);
  text.remove_prefix(n);
  return letters;
}

const Unit* find_unit(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

Expected<Duration> bad_duration(std::string_view text) {
  return fail(fmt::format("'{}' is not a duration such as 50ms, 60s, 10min or off", text));
}

}  // namespace

Expected<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text == "off") return kForever;
  double nanoseconds = 0;
  std::string_view rest = text;
  if (rest.empty()) return bad_duration(text);
  while (!rest.empty()) {
    double number = 0;
    if (!take_number(rest, number)) return bad_duration(text);
    const std::string_view name = take_letters(rest);
    if (name.empty())
      return fail(
          fmt::format("'{0}' has no unit; write {0}s for seconds or {0}ms for milliseconds", text));
    const Unit* const unit = find_unit(kDurations, name);
    if (unit == nullptr) return bad_duration(text);
    nanoseconds += number * unit->size;
  }
  if (nanoseconds > 3.15e17)
    return fail(fmt::format("'{}' is longer than ten years; off means no limit", text));
  return Duration(std::llround(nanoseconds));
}

Expected<Duration> parse_go_duration(std::string_view text) {
  const bool negative = text.starts_with('-');
  auto parsed = parse_duration(negative || text.starts_with('+') ? text.substr(1) : text);
  if (parsed && negative) *parsed = -*parsed;
  return parsed;
}

std::string format_duration(Duration duration) {
  if (duration == kForever) return "off";
  const std::int64_t n = duration.count();
  if (n == 0) return "0s";
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 5> kUnits = {
      {{3'600'000'000'000, "h"},
       {60'000'000'000, "min"},
       {1'000'000'000, "s"},
       {1'000'000, "ms"},
       {1'000, "us"}}};
  for (const auto& [size, name] : kUnits) {
    if (n % size == 0) return fmt::format("{}{}", n / size, name);
  }
  return fmt::format("{}ns", n);
}

Expected<ByteCount> parse_size(std::string_view text) {
  std::string_view rest = text;
  double number = 0;
  const Unit* unit = nullptr;
  if (take_number(rest, number)) unit = find_unit(kSizes, trim(rest));
  if (unit == nullptr || number * unit->size > 9e18) {
    return fail(fmt::format("'{}' is not a size such as 512, 64KiB or 1GiB", text));
  }
  return ByteCount(std::llround(number * unit->size));
}

std::string format_size(ByteCount size) {
  constexpr std::array<std::pair<std::int64_t, std::string_view>, 3> kUnits = {
      {{std::int64_t{1} << 30, "GiB"},
       {std::int64_t{1} << 20, "MiB"},
       {std::int64_t{1} << 10, "KiB"}}};
  for (const auto& [unit, name] : kUnits) {
    if (size.value() != 0 && size.value() % unit == 0)
      return fmt::format("{}{}", size.value() / unit, name);
  }
  return fmt::format("{}", size.value());
}

Expected<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return fail(fmt::format("'{}' is not a whole number", text));
  }
  return value;
}

Expected<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty() ||
      !std::isfinite(value)) {
    return fail(fmt::format("'{}' is not a number", text));
  }
  return value;
}

Expected<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(fmt::format("'{}' is neither true nor false", text));
}

Expected<bool> parse_go_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == no) return false;
  }
  return fail(fmt::format("'{}' is neither true nor false", text));
}

}  // namespace turnpike::config
