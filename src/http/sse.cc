#include "http/sse.h"

#include <algorithm>

#include "http/scan.h"

namespace turnpike::http {

namespace {

constexpr std::size_t kKeepCapacity = std::size_t{16} * 1024;

// The first \r or \n.
const char* find_line_break(const char* p, const char* end) {
  while ((p = find_control(p, end)) != end && *p != '\r' && *p != '\n') ++p;
  return p;
}

std::string_view value_of(std::string_view line, std::size_t name_length) {
  line.remove_prefix(std::min(name_length + 1, line.size()));
  if (!line.empty() && line.front() == ' ') line.remove_prefix(1);
  return line;
}

bool has_name(std::string_view line, std::string_view name) {
  return line.starts_with(name) && (line.size() == name.size() || line[name.size()] == ':');
}

}  // namespace

std::optional<std::size_t> SseScanner::find_end(std::string_view in) {
  const char* const begin = in.data();
  const char* const end = begin + in.size();
  const char* p = begin;
  while (p != end) {
    const char* const stop = find_line_break(p, end);
    if (stop != p) {
      line_has_bytes_ = true;
      after_cr_ = false;
    }
    if (stop == end) break;
    p = stop + 1;
    if (*stop == '\n' && after_cr_) {
      after_cr_ = false;
      continue;
    }
    after_cr_ = *stop == '\r';
    const bool blank = !line_has_bytes_;
    line_has_bytes_ = false;
    if (after_cr_ && p != end && *p == '\n') {
      ++p;
      after_cr_ = false;
    }
    if (blank) return static_cast<std::size_t>(p - begin);
  }
  return std::nullopt;
}

std::optional<SseEvent> SseScanner::emit(std::string_view raw) {
  SseEvent event;
  event.raw = raw;
  bool joined = false;
  std::string_view rest = raw;
  if (at_start_ && rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
  at_start_ = false;
  while (!rest.empty()) {
    const char* const end = rest.data() + rest.size();
    const char* const stop = find_line_break(rest.data(), end);
    const std::string_view line = rest.substr(0, static_cast<std::size_t>(stop - rest.data()));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (has_name(line, "data")) {
      const std::string_view value = value_of(line, 4);
      if (!event.has_data) {
        event.data = value;
        event.has_data = true;
        continue;
      }
      if (!joined) joined_.assign(event.data);
      joined = true;
      joined_.push_back('\n');
      joined_.append(value);
    } else if (has_name(line, "event")) {
      event.type = value_of(line, 5);
    }
  }
  if (joined) event.data = joined_;
  return event;
}

std::optional<SseEvent> SseScanner::next(std::string_view& in) {
  if (emitted_) {
    emitted_ = false;
    held_.clear();
    if (held_.capacity() > kKeepCapacity) std::string().swap(held_);
  }
  if (in.empty()) return std::nullopt;
  const std::optional<std::size_t> end = find_end(in);
  const std::string_view piece = in.substr(0, end.value_or(in.size()));
  in.remove_prefix(piece.size());
  if (overflowed_ || (!end && held_.size() + piece.size() > max_event_)) {
    overflowed_ = !end;
    at_start_ = false;
    if (held_.empty()) return SseEvent{.raw = piece, .fragment = true};
    held_.append(piece);
    emitted_ = true;
    return SseEvent{.raw = held_, .fragment = true};
  }
  if (end && held_.empty()) return emit(piece);
  held_.append(piece);
  if (!end) return std::nullopt;
  emitted_ = true;
  return emit(held_);
}

}  // namespace turnpike::http
