#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace turnpike {

// RFC 4648, 5, without padding; nothing if it is none.
inline std::optional<std::string> decode_base64url(std::string_view text) {
  std::string plain;
  plain.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a') + 26;
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0') + 52;
    } else if (c == '-' || c == '_') {
      value = c == '-' ? 62 : 63;
    } else {
      return std::nullopt;
    }
    bits = (bits << 6U | value) & 0xffffffU;
    count += 6;
    if (count >= 8) {
      count -= 8;
      plain.push_back(static_cast<char>(bits >> count & 0xffU));
    }
  }
  // Four characters are three bytes: one left over is none.
  if (text.size() % 4 == 1) return std::nullopt;
  return plain;
}

}  // namespace turnpike
