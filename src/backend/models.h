#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace turnpike::backend {

inline constexpr std::size_t kMaxModels = 1'000;   // of one endpoint; further ones are ignored
inline constexpr std::size_t kMaxModelName = 256;  // bytes; longer ones are ignored

struct ServedModels {
  std::vector<std::string> names;
  std::vector<std::string>
      adapters;  // those of them that are adapters of another: they name a `parent`
};

// The names in an answer of GET /v1/models ({"data":[{"id":...,"parent":...}]}), each once, in the engine's order. Empty and overlong
// names are left out. Linear, and holds nothing but the names: an answer may be anything. Error: not such an answer.
Expected<ServedModels> parse_models(std::string_view json);

}  // namespace turnpike::backend
