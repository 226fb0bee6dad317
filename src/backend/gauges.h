#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "core/pool/events.h"

namespace turnpike::backend {

// Whose metrics an engine speaks.
enum class Dialect : std::uint8_t { unknown, vllm, llama_cpp };
std::string_view to_string(Dialect dialect);

// What one scrape says. Everything is absent that the engine did not say; rows of several engines or models are summed.
struct EngineMetrics {
  Dialect dialect = Dialect::unknown;
  core::Gauges gauges;
  // Counters of tokens, for restart detection and for how well prefixes are cached.
  std::optional<double> prompt_tokens;
  std::optional<double> cached_tokens;  // of the prompts, those found in the cache
  std::optional<double> output_tokens;
  std::optional<double> preemptions;
  std::optional<double> start_time;   // seconds since 1970
  std::vector<std::string> adapters;  // those in use, by name; their number of places is a gauge
};

// Reads the text of /metrics. Linear in its length; lines that are not needed are skipped, lines that are not understood are
// ignored. Never fails: what is not metrics has no dialect. `text` may be anything.
EngineMetrics parse_metrics(std::string_view text);

struct Reading {
  core::Gauges gauges;
  std::vector<std::string> adapters;  // in use; the gauges have no names
  bool restarted = false;             // since the last reading: its cache is empty
};

// One endpoint's scrapes in order. Notices restarts: a counter went back, or the start time changed.
class GaugeReader {
 public:
  Reading read(std::string_view text);
  [[nodiscard]] std::string_view dialect() const { return to_string(last_.dialect); }
  // What is known from the scrapes so far; gauges are the last one's.
  [[nodiscard]] const EngineMetrics& last() const { return last_; }

 private:
  EngineMetrics last_;
};

}  // namespace turnpike::backend
