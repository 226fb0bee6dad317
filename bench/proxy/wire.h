#pragma once

#include <netinet/in.h>

#include <charconv>
#include <cstdint>
#include <string_view>

// The few bits of HTTP/1.1 that both ends of the benchmark read. They trust what they read: it is their own.
namespace turnpike::bench {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline std::int64_t to_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The value of a header, named in lower case, in a head whose lines end in CRLF; empty if absent.
inline std::string_view header_value(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos;
       line = head.find("\r\n", line + 2)) {
    auto rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    std::size_t i = 0;
    while (i < name.size() && (rest[i] | 0x20) == (name[i] | 0x20)) ++i;
    if (i < name.size()) continue;
    rest = rest.substr(name.size() + 1);
    rest = rest.substr(0, rest.find("\r\n"));
    while (rest.starts_with(' ')) rest.remove_prefix(1);
    return rest;
  }
  return {};
}

}  // namespace turnpike::bench
