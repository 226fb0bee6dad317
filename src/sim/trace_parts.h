#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "sim/trace.h"

// What the readers of the formats share; each format has a file of its own.
namespace turnpike::sim::trace_parts {

// Bounds of what a trace may say: beyond them a figure is a mistake, and would only exhaust memory.
inline constexpr std::int64_t kMostTokens = 16'000'000;
inline constexpr double kMostSeconds = 1e9;
inline constexpr std::size_t kMostPieces = 4'000'000;  // of one prompt

// The lines of a text, without their ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}
  // The next line that is not blank; nothing at the end.
  std::optional<std::string_view> next();
  [[nodiscard]] std::size_t number() const { return number_; }  // of the line next() gave

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

// A complaint about a field of a line.
inline std::unexpected<Error> bad(std::size_t line, std::string_view field, std::string_view what) {
  return fail(fmt::format("line {}: {}: {}", line, field, what));
}

// A line of JSON, of which fields are read until one is wrong: then error() says which, and everything read is 0.
class Fields {
 public:
  Fields(const nlohmann::json& object, std::size_t line, std::string prefix = {})
      : object_(object), line_(line), prefix_(std::move(prefix)) {}

  // A whole number from `least` to `most`. Absent: `otherwise`, or an error if there is none.
  std::int64_t whole(const char* name, std::int64_t least, std::int64_t most,
                     std::optional<std::int64_t> otherwise = std::nullopt);
  double number(const char* name, double least, double most,
                std::optional<double> otherwise = std::nullopt);
  std::string text(const char* name, std::string otherwise);
  // An array; absent: null and an error, unless it is optional.
  const nlohmann::json* array(const char* name, bool optional = false);
  void complain(std::string_view name, std::string_view what);

  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] std::unexpected<Error> error() const { return std::unexpected(*error_); }
  // A reader of an object inside, whose fields are called `prefix` + name.
  [[nodiscard]] Fields inner(const nlohmann::json& object, std::string_view prefix) const {
    return {object, line_, prefix_ + std::string(prefix)};
  }
  void take(const Fields& inner) {
    if (!error_) error_ = inner.error_;
  }

 private:
  const nlohmann::json* find(const char* name, bool required);

  const nlohmann::json& object_;
  std::size_t line_;
  std::string prefix_;
  std::optional<Error> error_;
};

// An object on a line of its own.
Expected<nlohmann::json> object_of(std::string_view line, std::size_t number);

// Appends a name to runs, merging it into the last if it follows.
void append(std::vector<PieceRun>& runs, std::uint64_t name, std::uint32_t count = 1);
std::uint64_t count(const std::vector<PieceRun>& runs);
// How many names two begin with in common.
std::uint64_t common_prefix(const std::vector<PieceRun>& a, const std::vector<PieceRun>& b);
// The first `most` names.
std::vector<PieceRun> prefix(const std::vector<PieceRun>& runs, std::uint64_t most);
// For each turn of a finished session: what its answer is made of, from the prompt of the turn after it, and what of its prompt
// was computed before, from the turn before.
void link_turns(Session& session);

Expected<Trace> read_mooncake(std::string_view text);
Expected<Trace> read_coding(std::string_view text);
Expected<Trace> read_csv(std::string_view text);
Expected<Trace> read_jsonl(std::string_view text);

}  // namespace turnpike::sim::trace_parts
