#include "core/pool/views.h"

namespace turnpike::core {

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::closed:
      return "closed";
    case BreakerState::open:
      return "open";
    case BreakerState::half_open:
      return "half-open";
  }
  return "";
}

std::string_view to_string(SessionMode mode) {
  switch (mode) {
    case SessionMode::queued:
      return "queued";
    case SessionMode::running:
      return "running";
    case SessionMode::acting:
      return "acting";
    case SessionMode::paused:
      return "paused";
  }
  return "";
}

}  // namespace turnpike::core
