#include "app/version.h"

#include <fmt/format.h>

namespace turnpike::app {

std::string version() {
  return fmt::format("turnpike {} (clang {}.{}.{}, {})", TURNPIKE_VERSION, __clang_major__,
                     __clang_minor__, __clang_patchlevel__, TURNPIKE_BUILD_TYPE);
}

}  // namespace turnpike::app
