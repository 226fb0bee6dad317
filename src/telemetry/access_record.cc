#include "telemetry/access_record.h"

#include <algorithm>
#include <ctime>
#include <string_view>

#include <fmt/format.h>

#include "base/json_text.h"

namespace turnpike::telemetry {

namespace {

std::string format_time(std::chrono::system_clock::time_point time) {
  const auto milliseconds =
      std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count();
  // Floors to the second also before 1970, so that the rest is never negative.
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  const std::time_t clock = seconds;
  std::tm parts{};
  gmtime_r(&clock, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     milliseconds - seconds * 1000);
}

std::string format_milliseconds(Duration duration) {
  return fmt::format("{:.3f}", std::chrono::duration<double, std::milli>(duration).count());
}

// Calls `write(name, value, kind)` for every field in order; an empty value is absent.
enum class Kind : std::uint8_t { text, number };
template <typename Write>
void visit(const AccessRecord& r, Write write) {
  const auto hash = [](auto key) {
    return key.is_none() ? std::string() : fmt::format("{:016x}", key.value());
  };
  const auto count = [](const std::optional<TokenCount>& tokens) {
    return tokens ? fmt::to_string(tokens->value()) : std::string();
  };
  write("time", format_time(r.time), Kind::text);
  write("id", r.request_id, Kind::text);
  write("method", r.method, Kind::text);
  write("path", r.path, Kind::text);
  write("tenant", hash(r.tenant), Kind::text);
  write("session", hash(r.session), Kind::text);
  write("session_from", r.session_from, Kind::text);
  write("model", r.model, Kind::text);
  write("endpoint", r.endpoint, Kind::text);
  write("attempts", fmt::to_string(r.attempts), Kind::number);
  write("status", fmt::to_string(r.status), Kind::number);
  write("reason", r.reason, Kind::text);
  write("decision", r.decision, Kind::text);
  write("stream", r.streamed ? "true" : "false", Kind::number);
  write("queue_ms", format_milliseconds(r.queued), Kind::number);
  write("ttft_ms", r.first_token ? format_milliseconds(*r.first_token) : std::string(),
        Kind::number);
  write("total_ms", format_milliseconds(r.total), Kind::number);
  write("input_tokens", count(r.input_tokens), Kind::number);
  write("cached_tokens", count(r.cached_tokens), Kind::number);
  write("output_tokens", count(r.output_tokens), Kind::number);
}

// The numbers behind the decision.
template <typename Write>
void visit(const core::Explanation& e, const std::string& runner_up, Write write) {
  const auto number = [&](std::string_view name, auto value) {
    write(name, fmt::to_string(value), Kind::number);
  };
  number("ahead", e.ahead);
  number("overtook", e.overtook);
  number("overtaken", e.overtaken);
  number("candidates", e.weighing.candidates);
  if (!runner_up.empty()) {
    write("score", fmt::format("{:.6g}", e.weighing.score), Kind::number);
    write("runner_up", runner_up, Kind::text);
    write("runner_up_score", fmt::format("{:.6g}", e.weighing.runner_up_score), Kind::number);
  }
  number("uncached_tokens", e.uncached.value());
  if (e.need) number("need_tokens", e.need->value());
  if (e.room) number("room_tokens", e.room->value());
}

bool is_plain(std::string_view value) {
  return value != "-" && std::ranges::all_of(value, [](char c) {
           return c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != '=';
         });
}

}  // namespace

std::string format_text(const AccessRecord& record) {
  std::string out;
  visit(record, [&out](std::string_view name, const std::string& value, Kind) {
    if (!out.empty()) out.push_back(' ');
    out += name;
    out.push_back('=');
    if (value.empty()) {
      out.push_back('-');
    } else if (is_plain(value)) {
      out += value;
    } else {
      append_json_string(out, value);
    }
  });
  return out;
}

std::string format_json(const AccessRecord& record) {
  std::string out;
  const auto write = [&out](std::string_view name, const std::string& value, Kind kind) {
    if (value.empty()) return;
    out += out.empty() ? "{\"" : ",\"";
    out += name;
    out += "\":";
    if (kind == Kind::number) {
      out += value;
    } else {
      append_json_string(out, value);
    }
  };
  visit(record, write);
  if (record.explanation) visit(*record.explanation, record.runner_up, write);
  out.push_back('}');
  return out;
}

}  // namespace turnpike::telemetry
