#pragma once

#include <cstdint>
#include <string_view>

#include <xxhash.h>

namespace turnpike {

// A 64-bit hash of `bytes` under `seed`; XXH3. Not for secrets.
inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// Extends a chain: the result depends on every block before. Equal chains mean equal prefixes.
constexpr std::uint64_t chain_hash(std::uint64_t previous, std::uint64_t block) {
  std::uint64_t x =
      previous ^ (block + 0x9e3779b97f4a7c15ULL + (previous << 6U) + (previous >> 2U));
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace turnpike
