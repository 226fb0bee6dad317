#pragma once

#include <cstdint>
#include <cstring>

namespace turnpike::http {

// The first control character (0..31 but the tab, or 127) in [p, end), else `end`. Eight bytes at a
// time.
inline const char* find_control(const char* p, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  const auto is_control = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u < 0x20 && c != '\t') || u == 0x7f;
  };
  while (end - p >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, 8);
    // A high bit per byte below 0x20, or equal to 0x7f. Borrows can only add false hits above a
    // true one; each hit is looked at.
    const std::uint64_t low = (word - kOnes * 0x20) & ~word;
    const std::uint64_t del = word ^ (kOnes * 0x7f);
    const std::uint64_t hits = (low | ((del - kOnes) & ~del & ~word)) & kHigh;
    if (hits != 0) {
      for (int i = 0; i < 8; ++i) {
        if (is_control(p[i])) return p + i;
      }
    }
    p += 8;
  }
  for (; p != end; ++p) {
    if (is_control(*p)) return p;
  }
  return end;
}

}  // namespace turnpike::http
