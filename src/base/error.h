#pragma once

#include <expected>
#include <string>
#include <utility>

namespace turnpike {

// An expected failure, as a sentence for whoever caused it. Broken invariants assert instead; what a peer sends is never one.
struct Error {
  std::string message;
};

template <typename T>
using Expected = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{std::move(message)});
}

}  // namespace turnpike
