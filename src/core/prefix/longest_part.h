#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace turnpike::core {

// How many of the blocks, from the first, `holds` is true of, if it is true of all before any of which it is: gallop to a block of
// which it is not, then halve. O(log n).
template <typename Holds>
std::size_t longest_part(std::span<const std::uint64_t> blocks, Holds holds) {
  if (blocks.empty() || !holds(blocks[0])) return 0;
  std::size_t held = 1;
  std::size_t step = 1;
  while (held + step <= blocks.size() && holds(blocks[held + step - 1])) {
    held += step;
    step *= 2;
  }
  std::size_t missing = std::min(held + step, blocks.size() + 1);
  while (missing - held > 1) {
    const std::size_t middle = held + (missing - held) / 2;
    (holds(blocks[middle - 1]) ? held : missing) = middle;
  }
  return held;
}

}  // namespace turnpike::core
