#include "openai/session_source.h"

#include <array>
#include <cstddef>
#include <optional>

#include <simdjson.h>

#include "base/ascii.h"
#include "base/base64url.h"

namespace turnpike::openai {

namespace {

struct Prefix {
  std::string_view text;
  SessionSource::Kind kind;
};
constexpr auto kNamed = std::to_array<Prefix>({{"header:", SessionSource::Kind::header},
                                               {"query:", SessionSource::Kind::query},
                                               {"cookie:", SessionSource::Kind::cookie},
                                               {"jwt:", SessionSource::Kind::jwt},
                                               {"body:", SessionSource::Kind::body}});
constexpr auto kWhole = std::to_array<Prefix>({{"headers", SessionSource::Kind::clients},
                                               {"body", SessionSource::Kind::body_fields},
                                               {"prompt", SessionSource::Kind::prompt}});

// Longer tokens are left alone.
constexpr std::size_t kLongestToken = std::size_t{16} * 1024;

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string unescape_query(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      plain.push_back(static_cast<char>(high * 16 + low));
      i += 2;
    } else {
      plain.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return plain;
}

}  // namespace

Expected<SessionSource> parse_session_source(std::string_view text) {
  for (const Prefix& whole : kWhole) {
    if (text == whole.text) return SessionSource{whole.kind, {}};
  }
  for (const Prefix& named : kNamed) {
    if (!text.starts_with(named.text) || text.size() == named.text.size()) continue;
    return SessionSource{named.kind, std::string(text.substr(named.text.size()))};
  }
  return fail(
      "'" + std::string(text) +
      "' is no source of sessions: header:NAME, query:NAME, cookie:NAME, jwt:CLAIM, body:FIELD, "
      "headers, body or prompt");
}

std::string query_parameter(std::string_view target, std::string_view name) {
  const std::size_t begin = target.find('?');
  if (begin == std::string_view::npos) return {};
  std::string_view rest = target.substr(begin + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name)
      return unescape_query(pair.substr(equals + 1));
  }
  return {};
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const std::string_view pair = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(pair.size() + 1, cookies.size()));
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || trim(pair.substr(0, equals)) != name) continue;
    std::string_view value = trim(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    return value;
  }
  return {};
}

std::string jwt_claim(std::string_view authorization, std::string_view claim) {
  constexpr std::string_view kBearer = "bearer ";
  if (authorization.size() > kLongestToken ||
      !equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer))
    return {};
  const std::string_view token = trim(authorization.substr(kBearer.size()));
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return {};
  auto payload = decode_base64url(token.substr(first + 1, second - first - 1));
  if (!payload) return {};
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
  std::string_view value;
  payload->reserve(payload->size() + simdjson::SIMDJSON_PADDING);
  if (parser.iterate(*payload).get(document) ||
      document.find_field_unordered(claim).get_string().get(value))
    return {};
  return std::string(value);
}

}  // namespace turnpike::openai
