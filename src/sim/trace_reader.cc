#include "sim/trace_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <fmt/format.h>
#include <zlib.h>

#include "sim/trace_parts.h"

namespace turnpike::sim {
namespace {

constexpr std::array<std::string_view, 5> kNames{"detect", "mooncake", "coding", "csv", "jsonl"};
constexpr std::size_t kMostBytes = std::size_t{4} << 30U;

TraceFormat detected(std::string_view text) {
  trace_parts::Lines lines(text);
  const auto first = lines.next();
  if (!first || first->front() != '{') return TraceFormat::csv;
  if (first->contains("\"hash_ids\"")) return TraceFormat::mooncake;
  if (first->contains("\"requests\"")) return TraceFormat::coding;
  return TraceFormat::jsonl;
}

// zlib reads what is not compressed as it is.
Expected<std::string> contents(const std::string& file) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> in(::gzopen(file.c_str(), "rb"), ::gzclose);
  if (!in) return fail(std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> buffer{};
  while (true) {
    const int got = ::gzread(in.get(), buffer.data(), buffer.size());
    if (got < 0) {
      int code = 0;
      return fail(::gzerror(in.get(), &code));
    }
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kMostBytes) return fail("is larger than 4 GiB");
  }
}

}  // namespace

std::span<const std::string_view> trace_format_names() {
  return kNames;
}

std::optional<TraceFormat> find_trace_format(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<TraceFormat>(found - kNames.begin());
}

Expected<Trace> read_trace(std::string_view text, TraceFormat format) {
  if (format == TraceFormat::detect) format = detected(text);
  const auto reader = [format] {
    switch (format) {
      case TraceFormat::mooncake:
        return trace_parts::read_mooncake;
      case TraceFormat::coding:
        return trace_parts::read_coding;
      case TraceFormat::jsonl:
        return trace_parts::read_jsonl;
      default:
        return trace_parts::read_csv;
    }
  }();
  Expected<Trace> trace = reader(text);
  if (trace && trace->sessions.empty()) return fail("has no session");
  return trace;
}

Expected<Trace> read_trace_file(const std::string& file, TraceFormat format) {
  const Expected<std::string> text = contents(file);
  if (!text) return fail(fmt::format("{}: {}", file, text.error().message));
  Expected<Trace> trace = read_trace(*text, format);
  if (!trace) return fail(fmt::format("{}: {}", file, trace.error().message));
  return trace;
}

}  // namespace turnpike::sim
