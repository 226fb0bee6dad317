#pragma once

#include <cstdint>
#include <random>

namespace turnpike::store {

// For hashing ids; different in every store.
inline std::uint64_t draw_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

}  // namespace turnpike::store
