#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "sim/trace.h"

namespace turnpike::sim {

enum class TraceFormat : std::uint8_t {
  detect,    // by the first line
  mooncake,  // JSON lines: timestamp, input_length, output_length, hash_ids
  coding,    // JSON lines: sessions of coding agents with prefix hashes and think times
  csv,       // arrivals and sizes under a line of column names
  jsonl,     // our own: a session a line
};

// The names of the formats, in the order above; find_trace_format() knows them.
std::span<const std::string_view> trace_format_names();
std::optional<TraceFormat> find_trace_format(std::string_view name);

// The sessions of a trace's text. Errors name line and field, as "line 7: output_length: must be at least 1". What the formats
// are is told in docs/guide/simulate.md.
Expected<Trace> read_trace(std::string_view text, TraceFormat format);
// Of a file, plain or compressed by gzip. Errors begin with its name.
Expected<Trace> read_trace_file(const std::string& file, TraceFormat format);

}  // namespace turnpike::sim
