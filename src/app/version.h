#pragma once

#include <string>

namespace turnpike::app {

// "turnpike 0.1.0 (clang 19.1.7, Release)".
std::string version();

}  // namespace turnpike::app
