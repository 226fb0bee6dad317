#include "metrics/text.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>

#include <fmt/format.h>

#include "base/ascii.h"

namespace turnpike::metrics {

namespace {

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      if (c == '\\' || (quotes && c == '"')) out.push_back('\\');
      out.push_back(c);
    }
  }
}

constexpr std::string_view type_name(TextWriter::Type type) {
  switch (type) {
    case TextWriter::Type::counter:
      return "counter";
    case TextWriter::Type::gauge:
      return "gauge";
    case TextWriter::Type::histogram:
      return "histogram";
  }
  return "untyped";
}

std::string format_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

}  // namespace

bool is_metric_name(std::string_view name) {
  const auto letter = [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || c == '_' || c == ':';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || is_digit(c); });
}

void TextWriter::family(std::string_view name, Type type, std::string_view help) {
  assert(is_metric_name(name));
  name_ = name;
  out_ += "# HELP ";
  out_ += name;
  out_.push_back(' ');
  append_escaped(out_, help, false);
  out_ += "\n# TYPE ";
  out_ += name;
  out_.push_back(' ');
  out_ += type_name(type);
  out_.push_back('\n');
}

void TextWriter::series(std::string_view suffix, LabelNames names, LabelValues values,
                        std::string_view le) {
  assert(names.size() == values.size());
  out_ += name_;
  out_ += suffix;
  char separator = '{';
  const auto label = [this, &separator](std::string_view name, std::string_view value) {
    out_.push_back(separator);
    separator = ',';
    out_ += name;
    out_ += "=\"";
    append_escaped(out_, value, true);
    out_.push_back('"');
  };
  for (std::size_t i = 0; i < names.size(); ++i) label(names[i], values[i]);
  if (!le.empty()) label("le", le);
  if (separator == ',') out_.push_back('}');
  out_.push_back(' ');
}

void TextWriter::number(double value) {
  out_ += format_number(value);
  out_.push_back('\n');
}

void TextWriter::sample(LabelNames names, LabelValues values, double value) {
  series({}, names, values);
  number(value);
}

void TextWriter::sample(LabelNames names, LabelValues values, std::uint64_t value) {
  series({}, names, values);
  fmt::format_to(std::back_inserter(out_), "{}\n", value);
}

void TextWriter::histogram(LabelNames names, LabelValues values, const Buckets& bounds,
                           std::span<const std::uint64_t> counts, double sum) {
  assert(counts.size() == bounds.size() + 1);
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    below += counts[i];
    series("_bucket", names, values, i < bounds.size() ? format_number(bounds[i]) : "+Inf");
    fmt::format_to(std::back_inserter(out_), "{}\n", below);
  }
  series("_sum", names, values);
  number(sum);
  series("_count", names, values);
  fmt::format_to(std::back_inserter(out_), "{}\n", below);
}

}  // namespace turnpike::metrics
