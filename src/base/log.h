#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace turnpike {

// How much a line that the program says of itself matters.
enum class Severity : std::uint8_t {
  debug,    // for whoever looks for a fault in the program
  info,     // what happens in the course of things
  warning,  // something is amiss, and the program goes on without it
  error,    // a fault of the program itself
};

// Takes one line without its end. Any thread.
using Log = std::function<void(Severity, std::string_view)>;

}  // namespace turnpike
