#include "sim/trace_parts.h"

#include <algorithm>
#include <cmath>

namespace turnpike::sim::trace_parts {

using nlohmann::json;

std::optional<std::string_view> Lines::next() {
  while (!rest_.empty()) {
    const std::size_t end = rest_.find('\n');
    std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    ++number_;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (!line.empty()) return line;
  }
  return std::nullopt;
}

const json* Fields::find(const char* name, bool required) {
  const auto found = object_.find(name);
  if (found != object_.end() && !found->is_null()) return &*found;
  if (required) complain(name, "is missing");
  return nullptr;
}

void Fields::complain(std::string_view name, std::string_view what) {
  if (!error_) error_ = bad(line_, prefix_ + std::string(name), what).error();
}

std::int64_t Fields::whole(const char* name, std::int64_t least, std::int64_t most,
                           std::optional<std::int64_t> otherwise) {
  const double value =
      number(name, static_cast<double>(least), static_cast<double>(most),
             otherwise ? std::optional(static_cast<double>(*otherwise)) : std::nullopt);
  if (value != std::floor(value)) {
    complain(name, "must be a whole number");
    return 0;
  }
  return static_cast<std::int64_t>(value);
}

double Fields::number(const char* name, double least, double most,
                      std::optional<double> otherwise) {
  const json* const found = find(name, !otherwise);
  if (found == nullptr) return otherwise.value_or(0);
  if (!found->is_number()) {
    complain(name, "must be a number");
    return 0;
  }
  const double value = found->get<double>();
  if (!(value >= least && value <= most)) {
    complain(name, fmt::format("must be between {} and {}", least, most));
    return 0;
  }
  return value;
}

std::string Fields::text(const char* name, std::string otherwise) {
  const json* const found = find(name, false);
  if (found == nullptr) return otherwise;
  if (found->is_string()) return found->get<std::string>();
  complain(name, "must be a string");
  return {};
}

const json* Fields::array(const char* name, bool optional) {
  const json* const found = find(name, !optional);
  if (found == nullptr) return nullptr;
  if (found->is_array()) return found;
  complain(name, "must be an array");
  return nullptr;
}

Expected<json> object_of(std::string_view line, std::size_t number) {
  json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return fail(fmt::format("line {}: is not a JSON object", number));
  return object;
}

void append(std::vector<PieceRun>& runs, std::uint64_t name, std::uint32_t count) {
  if (count == 0) return;
  if (!runs.empty() && runs.back().first + runs.back().count == name) {
    runs.back().count += count;
  } else {
    runs.push_back({.first = name, .count = count});
  }
}

std::uint64_t count(const std::vector<PieceRun>& runs) {
  std::uint64_t total = 0;
  for (const PieceRun& run : runs) total += run.count;
  return total;
}

std::uint64_t common_prefix(const std::vector<PieceRun>& a, const std::vector<PieceRun>& b) {
  std::uint64_t common = 0;
  std::size_t i = 0;
  std::size_t j = 0;
  std::uint32_t in_a = 0;
  std::uint32_t in_b = 0;
  while (i < a.size() && j < b.size() && a[i].first + in_a == b[j].first + in_b) {
    const std::uint32_t same = std::min(a[i].count - in_a, b[j].count - in_b);
    common += same;
    in_a += same;
    in_b += same;
    if (in_a == a[i].count) ++i, in_a = 0;
    if (in_b == b[j].count) ++j, in_b = 0;
  }
  return common;
}

std::vector<PieceRun> prefix(const std::vector<PieceRun>& runs, std::uint64_t most) {
  std::vector<PieceRun> result;
  for (const PieceRun& run : runs) {
    if (most == 0) break;
    const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, run.count));
    result.push_back({.first = run.first, .count = taken});
    most -= taken;
  }
  return result;
}

void link_turns(Session& session) {
  const std::int64_t each = session.piece_tokens.value();
  for (std::size_t k = 0; k + 1 < session.turns.size(); ++k) {
    Turn& turn = session.turns[k];
    Turn& next = session.turns[k + 1];
    const std::int64_t prompt = session.prompt_tokens(k).value();
    const std::int64_t end = prompt + turn.output.value();
    std::uint64_t common = common_prefix(turn.pieces, next.pieces);
    // The next prompt goes on where this one's whole pieces end: then its pieces tell the answer's.
    if (static_cast<std::int64_t>(common) >= prompt / each) {
      turn.pieces = prefix(next.pieces, static_cast<std::uint64_t>(end / each));
      common = count(turn.pieces);
    }
    next.kept = std::max(
        next.kept.value_or(TokenCount(0)),
        TokenCount(std::min<std::int64_t>(static_cast<std::int64_t>(common) * each, end - 1)));
  }
}

}  // namespace turnpike::sim::trace_parts
