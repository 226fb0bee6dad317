#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"

namespace turnpike::telemetry {

// What is told of a request when it has ended. Owns its strings: it outlives the request on its way to the log.
struct AccessRecord {
  std::chrono::system_clock::time_point time;  // of its arrival
  std::string request_id;
  std::string method;
  std::string path;  // without the query
  std::string model;
  std::string endpoint;  // its name; empty if it never got to one
  std::string decision;  // as in x-turnpike-decision
  std::string reason;    // as in x-turnpike-reason; empty if all went well
  TenantKey tenant;
  SessionKey session;
  std::string
      session_from;  // the source of its id, as it is configured; of a prompt also how it was found
  int status = 0;    // 499: the client left
  int attempts = 0;
  bool streamed = false;
  Duration queued{0};
  std::optional<Duration> first_token;  // since the arrival
  Duration total{0};
  std::optional<TokenCount> input_tokens;
  std::optional<TokenCount> cached_tokens;
  std::optional<TokenCount> output_tokens;

  std::optional<core::Explanation> explanation;  // of its (last) dispatch
  std::string runner_up;                         // the name of that endpoint; empty: none
};

// One line without its end. Text: key=value, "-" for what is absent, quotes where a value holds blanks, quotes or control characters
// (which are escaped, so that no client can forge a line). Times are UTC with milliseconds; durations are milliseconds.
std::string format_text(const AccessRecord& record);
// The same as a JSON object with the explanation; what is absent is left out.
std::string format_json(const AccessRecord& record);

}  // namespace turnpike::telemetry
