#pragma once

#include <cstddef>

namespace turnpike::core {

// How much is remembered of what each endpoint probably holds.
struct PrefixParams {
  std::size_t max_bytes = std::size_t{16} << 20;  // per endpoint; 112 bytes a block of the prompt
  std::size_t max_blocks = 0;  // of a prompt that count, from its beginning; 0: all
  bool learn_at_end =
      false;  // not when a request is dispatched but when it has ended (the ancestor's rule)

  friend bool operator==(const PrefixParams&, const PrefixParams&) = default;
};

}  // namespace turnpike::core
