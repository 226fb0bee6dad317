#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "base/random.h"
#include "sim/trace_parts.h"

// Arrivals and sizes without sessions: a line of column names, then a request a line. Of each column any of several names is
// understood, as published traces have them. Times are seconds, or dates as 2023-11-16 18:15:46.68.
namespace turnpike::sim::trace_parts {
namespace {

constexpr std::array<std::string_view, 5> kTime{"timestamp", "time", "arrival", "arrived_at", "t"};
constexpr std::array<std::string_view, 6> kInput{"contexttokens", "input_length",   "prompt_tokens",
                                                 "input_tokens",  "request tokens", "input"};
constexpr std::array<std::string_view, 6> kOutput{"generatedtokens", "output_length",
                                                  "output_tokens",   "completion_tokens",
                                                  "response tokens", "output"};
constexpr std::array<std::string_view, 2> kTenant{"tenant", "user"};

std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (true) {
    const std::size_t comma = line.find(',');
    std::string_view cell = line.substr(0, comma);
    while (!cell.empty() && (cell.front() == ' ' || cell.front() == '"')) cell.remove_prefix(1);
    while (!cell.empty() && (cell.back() == ' ' || cell.back() == '"')) cell.remove_suffix(1);
    cells.push_back(cell);
    if (comma == std::string_view::npos) return cells;
    line.remove_prefix(comma + 1);
  }
}

template <std::size_t N>
std::optional<std::size_t> column(const std::vector<std::string_view>& names,
                                  const std::array<std::string_view, N>& known) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    std::string name(names[i]);
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::ranges::find(known, name) != known.end()) return i;
  }
  return std::nullopt;
}

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// Days since 1970 of a date of the Gregorian calendar (H. Hinnant, chrono-compatible low-level date algorithms).
std::int64_t days_of(int year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
         719'468;
}

std::optional<double> seconds_of(std::string_view text) {
  if (const auto number = number_of(text)) return *number >= 0 ? number : std::nullopt;
  // 2023-11-16 18:15:46.68 or with a T.
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t length) {
    return number_of(text.substr(at, length));
  };
  while (!text.empty() && text.back() == 'Z') text.remove_suffix(1);
  const auto year = part(0, 4);
  const auto month = part(5, 2);
  const auto day = part(8, 2);
  const auto hour = part(11, 2);
  const auto minute = part(14, 2);
  const auto second = part(17, text.size() - 17);
  if (!year || !month || !day || !hour || !minute || !second || *month < 1 || *month > 12 ||
      *day < 1 || *day > 31 || *hour > 24 || *minute > 59 || *second >= 62) {
    return std::nullopt;
  }
  const auto days = static_cast<double>(
      days_of(static_cast<int>(*year), static_cast<int>(*month), static_cast<int>(*day)));
  return ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
}

}  // namespace

Expected<Trace> read_csv(std::string_view text) {
  Trace trace;
  Lines lines(text);
  const auto head = lines.next();
  if (!head) return fail("is empty");
  const std::vector<std::string_view> names = cells_of(*head);
  const auto time = column(names, kTime);
  const auto input = column(names, kInput);
  const auto output = column(names, kOutput);
  const auto tenant = column(names, kTenant);
  const auto missing = [&](std::string_view field, const auto& known) {
    return bad(lines.number(), field,
               fmt::format("no column is called any of {}", fmt::join(known, ", ")));
  };
  if (!time) return missing("time", kTime);
  if (!input) return missing("input", kInput);
  if (!output) return missing("output", kOutput);

  struct Arrival {
    double at = 0;
    std::size_t line = 0;
    Session session;
  };
  std::vector<Arrival> arrivals;
  while (const auto line = lines.next()) {
    const std::vector<std::string_view> cells = cells_of(*line);
    const std::size_t number = lines.number();
    if (cells.size() != names.size()) {
      return bad(number, "columns",
                 fmt::format("there are {} instead of {}", cells.size(), names.size()));
    }
    const auto at = seconds_of(cells[*time]);
    if (!at)
      return bad(number, names[*time], "must be seconds or a date like 2023-11-16 18:15:46.68");
    const auto in = number_of(cells[*input]);
    if (!in || *in < 0 || *in > static_cast<double>(kMostTokens)) {
      return bad(number, names[*input], "must be a number of tokens");
    }
    const auto out = number_of(cells[*output]);
    if (!out || *out < 0 || *out > static_cast<double>(kMostTokens)) {
      return bad(number, names[*output], "must be a number of tokens");
    }
    Session session;
    session.text = mix64(arrivals.size());
    session.tenant = "default";
    session.shape = "trace";
    session.identified = false;
    if (tenant && !cells[*tenant].empty()) {
      const auto known = std::ranges::find(trace.names, cells[*tenant]);
      session.tenant = known != trace.names.end()
                           ? std::string_view(*known)
                           : std::string_view(trace.names.emplace_back(cells[*tenant]));
    }
    session.turns.push_back({.appended = TokenCount(std::max(1LL, std::llround(*in))),
                             .output = TokenCount(std::max(1LL, std::llround(*out)))});
    arrivals.push_back({.at = *at, .line = number, .session = std::move(session)});
  }
  std::ranges::sort(arrivals, [](const Arrival& a, const Arrival& b) {
    return a.at != b.at ? a.at < b.at : a.line < b.line;
  });
  for (Arrival& arrival : arrivals) {
    trace.begins.push_back(from_seconds(std::min(arrival.at - arrivals.front().at, kMostSeconds)));
    trace.sessions.push_back(std::move(arrival.session));
  }
  if (!trace.begins.empty()) trace.span = trace.begins.back() + std::chrono::seconds(1);
  return trace;
}

}  // namespace turnpike::sim::trace_parts
