#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "base/units.h"

namespace turnpike::core {

// What scorers know of an endpoint that has room for a request.
struct Candidate {
  std::uint64_t name_hash = 0;
  int leases = 0;
  TokenCount backlog;
  TokenCount uncached;  // of this prompt there, as expected
  TokenCount prompt;    // of this request
  std::optional<double>
      prefix_share;  // of the prompt, that it probably holds; none: no fingerprint
  std::optional<double> kv_usage;
  std::optional<double> ttft;  // seconds, lately
  std::optional<double> itl;
  // Below 1 for an endpoint that is slow though healthy, or has just come up; it scales the score.
  double confidence = 1.0;
  std::size_t index_blocks = 0;  // prefixes it is known to hold, in blocks
  bool crowded = false;          // too many wait inside its engine
  bool bound = false;            // it holds the session's context
  std::optional<double>
      adapter;  // how little it has to do to load the request's adapter, 0 to 1; none: it names none
  std::uint32_t turn = 0;  // dispatches to go until it is its turn, by round-robin
};

}  // namespace turnpike::core
