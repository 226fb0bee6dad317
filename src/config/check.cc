#include "config/check.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

#include "base/ascii.h"

namespace turnpike::config {
namespace {

bool is_visible(char c) {
  return c > ' ' && c < 0x7f;
}

struct HostPort {
  std::string_view host;
  std::optional<std::uint16_t>
      port;  // none: there is no colon, or no number of 0 to 65535 behind it
  bool has_port = false;
};

// Nothing for an IPv6 address without brackets or with half of them.
std::optional<HostPort> split(std::string_view text) {
  HostPort parts;
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return std::nullopt;
  const std::size_t colon = text.find(':', bracket);
  parts.host = text.substr(0, colon);
  if (colon == std::string_view::npos) return parts;
  parts.has_port = true;
  const std::string_view port = text.substr(colon + 1);
  if (port.contains(':')) return std::nullopt;
  parts.port = parse_unsigned<std::uint16_t>(port);
  return parts;
}

}  // namespace

std::string check_listen_address(std::string_view text) {
  const auto parts = split(text);
  if (!parts || !parts->has_port || !std::ranges::all_of(text, is_visible)) {
    return fmt::format("'{}' is not an address:port", text);
  }
  return parts->port ? "" : fmt::format("'{}' has no port of 0 to 65535", text);
}

std::string check_backend_url(std::string_view url) {
  constexpr std::string_view kHttp = "http://";
  constexpr std::string_view kHttps = "https://";
  if (url.empty()) return "is missing";
  if (!url.starts_with(kHttp) && !url.starts_with(kHttps))
    return fmt::format("'{}' does not begin with http:// or https://", url);
  if (!std::ranges::all_of(url, is_visible))
    return fmt::format("'{}' holds a blank or control character", url);
  if (url.find_first_of("?#") != std::string_view::npos)
    return fmt::format("'{}' must have neither query nor fragment", url);
  const std::string_view rest = url.substr(url.starts_with(kHttps) ? kHttps.size() : kHttp.size());
  const std::string_view authority = rest.substr(0, rest.find('/'));
  if (authority.contains('@')) return fmt::format("'{}' must not carry a user or password", url);
  const auto parts = split(authority);
  if (!parts || parts->host.empty()) return fmt::format("'{}' names no host", url);
  if (parts->has_port && parts->port.value_or(0) == 0)
    return fmt::format("'{}' has no port of 1 to 65535", url);
  return {};
}

std::string check_header_name(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const bool good = !name.empty() && std::ranges::all_of(name, [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || is_digit(c) || kMarks.contains(c);
  });
  return good ? "" : fmt::format("'{}' is not the name of a header", name);
}

std::string check_session_source(std::string_view source) {
  for (const std::string_view whole : {"headers", "body", "prompt"}) {
    if (source == whole) return "";
  }
  if (source.starts_with("header:")) return check_header_name(source.substr(7));
  for (const std::string_view kind : {"query:", "cookie:", "jwt:", "body:"}) {
    if (source.starts_with(kind) && source.size() > kind.size() &&
        std::ranges::all_of(source, is_visible))
      return "";
  }
  return fmt::format(
      "'{}' is none of header:NAME, query:NAME, cookie:NAME, jwt:CLAIM, body:FIELD, headers, body, "
      "prompt",
      source);
}

std::string check_header_name_or_none(std::string_view name) {
  return name.empty() ? "" : check_header_name(name);
}

std::string check_path(std::string_view path) {
  const bool good = path.starts_with('/') && std::ranges::all_of(path, is_visible);
  return good ? "" : fmt::format("'{}' is not a path such as /metrics", path);
}

std::string check_visible(std::string_view text) {
  return std::ranges::all_of(text, is_visible) ? "" : "must consist of visible ASCII characters";
}

std::string check_label(std::string_view text) {
  const std::size_t equals = text.find('=');
  const bool good = equals != std::string_view::npos && equals > 0 && equals + 1 < text.size() &&
                    !text.contains(',') && std::ranges::all_of(text, is_visible);
  return good ? "" : fmt::format("'{}' is not of the form key=value", text);
}

std::string check_not_empty(std::string_view text) {
  return text.empty() ? "must not be empty" : "";
}

}  // namespace turnpike::config
