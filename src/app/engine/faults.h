#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/error.h"
#include "base/units.h"

namespace turnpike::app {

// Something that goes wrong with a request on purpose.
struct Fault {
  enum class Kind : std::uint8_t {
    status,    // an error answer with this status at once
    delay,     // the request is handled this much later
    stall,     // nothing more is sent after `after_tokens` tokens, and the connection stays open
    reset,     // the connection is reset after `after_tokens` tokens; 0: before the head
    truncate,  // the connection is closed after `after_tokens` tokens, in the middle of the answer
    end,  // the answer ends in good form after `after_tokens` tokens, but without finish, usage and [DONE]
  };
  static constexpr std::int64_t kForEver = -1;

  Kind kind = Kind::status;
  std::int64_t count = 1;     // requests that it befalls; kForEver: all
  std::string path = "/v1/";  // of requests whose path begins so
  int status = 503;
  std::optional<std::int64_t> retry_after{};  // seconds, with `status`
  Duration delay{};                           // real time
  std::int64_t after_tokens = 0;
};

// {"kind":"status","status":503,"count":1,"path":"/v1/","retry_after":2,"delay_ms":100,"after_tokens":5}: only the kind is
// needed, unknown members are refused.
Expected<Fault> parse_fault(std::string_view body);

// The faults that are still to happen, in the order of their planning. One thread.
class FaultPlan {
 public:
  static constexpr std::size_t kMost = 1000;

  // False if there are too many.
  bool add(Fault fault);
  void clear() { faults_.clear(); }
  // The fault that befalls a request for `path`, if any; counted down.
  std::optional<Fault> take(std::string_view path);
  [[nodiscard]] nlohmann::json list() const;

 private:
  std::vector<Fault> faults_;
};

}  // namespace turnpike::app
