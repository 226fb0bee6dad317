#include "openai/form.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/ascii.h"
#include "base/hash_chain.h"

namespace turnpike::openai {

namespace {

constexpr std::size_t kMaxBoundary = 70;  // RFC 2046, 5.1.1
constexpr std::size_t kMaxPartHead = std::size_t{8} * 1024;

// The value of `name=` in a header's parameters, without its quotes; nothing if it is not there.
std::optional<std::string_view> parameter(std::string_view header, std::string_view name) {
  for (std::size_t at = header.find(';'); at != std::string_view::npos;) {
    std::string_view rest = trim(header.substr(at + 1));
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = trim(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    const bool quoted = rest.starts_with('"');
    if (quoted) rest.remove_prefix(1);
    const std::size_t end = rest.find(quoted ? '"' : ';');
    if (quoted && end == std::string_view::npos) return std::nullopt;
    if (equals_ignoring_case(key, name)) {
      const std::string_view value = rest.substr(0, end);
      return quoted ? value : trim(value);
    }
    if (end == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(end);
    const std::size_t next = rest.find(';');
    if (next == std::string_view::npos) return std::nullopt;
    at = static_cast<std::size_t>(rest.data() + next - header.data());
  }
  return std::nullopt;
}

// The content-disposition among the head lines of a part.
std::string_view disposition_of(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        equals_ignoring_case(trim(line.substr(0, colon)), "content-disposition"))
      return trim(line.substr(colon + 1));
    if (end == std::string_view::npos) break;
    head.remove_prefix(end + 2);
  }
  return {};
}

BodyError torn(std::string_view why) {
  return {"The body is not a multipart form: " + std::string(why) + ".", {}};
}

struct FormScan {
  std::string_view body;
  BodyFacts facts = {};
  bool has_model = false;
  bool has_stream = false;
  bool has_user = false;

  std::optional<BodyError> read(std::string_view name, std::string_view value, bool is_file) {
    const auto once = [name](bool& seen) -> std::optional<BodyError> {
      if (std::exchange(seen, true))
        return BodyError{"'" + std::string(name) + "' is given twice.", std::string(name)};
      return std::nullopt;
    };
    facts.prompt_hash += hash_bytes(value.substr(0, 4096), hash_bytes(name, value.size()));
    if (is_file) {
      ++facts.prompt.media;
      return std::nullopt;
    }
    facts.prompt.text_bytes += value.size();
    if (name == "model") {
      if (auto error = once(has_model)) return error;
      if (value.empty()) return BodyError{"'model' must be a non-empty string.", "model"};
      facts.model = value;
      facts.model_at = static_cast<std::size_t>(value.data() - body.data());
      facts.model_size = value.size();
    } else if (name == "stream") {
      if (auto error = once(has_stream)) return error;
      facts.stream = equals_ignoring_case(value, "true") || value == "1";
    } else if (name == "user") {
      if (auto error = once(has_user)) return error;
      facts.user = value;
    }
    return std::nullopt;
  }
};

}  // namespace

bool is_form(std::string_view content_type) {
  return equals_ignoring_case(trim(content_type.substr(0, content_type.find(';'))),
                              "multipart/form-data");
}

std::expected<BodyFacts, BodyError> scan_form(std::string_view content_type,
                                              std::string_view body) {
  const auto boundary = parameter(content_type, "boundary");
  if (!boundary || boundary->empty() || boundary->size() > kMaxBoundary)
    return std::unexpected(torn("its content-type names no boundary of 1 to 70 characters"));
  const std::string mark = "\r\n--" + std::string(*boundary);
  const std::string_view opening = std::string_view(mark).substr(2);

  FormScan scan{.body = body};
  // What stands before the first boundary is for readers that know no multipart.
  std::size_t at = body.starts_with(opening) ? opening.size() : body.find(mark);
  if (at == std::string_view::npos)
    return std::unexpected(torn("its boundary does not occur in it"));
  if (!body.starts_with(opening)) at += mark.size();
  while (true) {
    std::string_view rest = body.substr(at);
    if (rest.starts_with("--")) break;
    const std::size_t blank = rest.substr(0, kMaxPartHead).find("\r\n\r\n");
    if (!rest.starts_with("\r\n") || blank == std::string_view::npos)
      return std::unexpected(torn("a part has no head"));
    const std::string_view disposition =
        disposition_of(rest.substr(2, std::max<std::size_t>(blank, 2) - 2));
    const std::size_t begin = at + blank + 4;
    const std::size_t end = body.find(mark, begin);
    if (end == std::string_view::npos) return std::unexpected(torn("its last part has no end"));
    const auto name = parameter(disposition, "name");
    if (!name) return std::unexpected(torn("a part has no name"));
    const bool is_file = parameter(disposition, "filename").has_value();
    if (auto error = scan.read(*name, body.substr(begin, end - begin), is_file))
      return std::unexpected(*std::move(error));
    at = end + mark.size();
  }
  if (!scan.has_model) return std::unexpected(BodyError{"'model' is missing.", "model"});
  if (scan.facts.prompt_hash == 0) scan.facts.prompt_hash = 1;
  return std::move(scan.facts);
}

}  // namespace turnpike::openai
