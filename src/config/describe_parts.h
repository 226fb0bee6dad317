#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "config/describe.h"

// What the files that describe keys share.
namespace turnpike::config {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kYear = 366.0 * 86'400;
inline constexpr Bounds kSize{1, 1099511627776.0};
inline constexpr Bounds kDurationOrOff{1e-3, kInfinity};
inline constexpr Bounds kAnyDuration{0, kYear};
inline constexpr Bounds kPositiveDuration{1e-3, kYear};

template <typename T>
MappingList mappings(std::vector<T>& list, std::string_view text = {}) {
  return {.size = [&list] { return list.size(); },
          .resize = [&list](std::size_t size) { list.assign(size, T()); },
          .keys_of = [&list](std::size_t i) { return describe(list[i]); },
          .text = text};
}

template <typename Enum>
Choice choice(Enum& value, std::vector<std::string> names) {
  static_assert(sizeof(Enum) == 1);
  return {reinterpret_cast<std::uint8_t*>(&value), std::move(names)};
}

// TLS towards clients (`tls.*`) and towards a model server (`backends[].tls.*`).
std::vector<Key> describe_tls(TlsConfig& tls);
std::vector<Key> describe_tls(BackendTls& tls);

// `limits.*` and `timeouts.*`, appended.
void describe_limits(Config& config, std::vector<Key>& keys);
void describe_timeouts(Config& config, std::vector<Key>& keys);

// The constants of the orders and of resident-set (`expert.*`), appended.
void describe_order(core::OrderParams& order, std::vector<Key>& keys);
void describe_resident(core::ResidentParams& resident, std::vector<Key>& keys);
// Who may use the gateway, and how (`tenants.*`), appended.
void describe_tenants(TenantsConfig& tenants, std::vector<Key>& keys);

}  // namespace turnpike::config
