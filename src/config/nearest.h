#pragma once

#include <span>
#include <string>
#include <string_view>

namespace turnpike::config {

// The candidate that is fewest edits (insert, delete, replace, swap of neighbours) away from `word`, if it is near enough that it
// may have been meant; else empty.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace turnpike::config
