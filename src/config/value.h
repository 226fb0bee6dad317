#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/units.h"

// Values as users write them.
namespace turnpike::config {

// "60s", "50ms", "1m30s", "10min", "1.5h"; units ns, us, ms, s, m or min, h. "0" and "off" (which is kForever) need no unit; any other
// bare number is refused. Not negative.
Expected<Duration> parse_duration(std::string_view text);
// The same as Go writes it: a sign is allowed, so that "-1s" can switch something off.
Expected<Duration> parse_go_duration(std::string_view text);
std::string format_duration(Duration duration);

// "64MiB", "1GB", "512"; units B, KB, KiB, MB, MiB, GB, GiB; a bare number is bytes.
Expected<ByteCount> parse_size(std::string_view text);
std::string format_size(ByteCount size);

Expected<std::int64_t> parse_integer(std::string_view text);
Expected<double> parse_number(std::string_view text);
// "true" or "false".
Expected<bool> parse_bool(std::string_view text);
// What Go's strconv.ParseBool takes: 1, t, T, TRUE, true, True, 0, f, ...
Expected<bool> parse_go_bool(std::string_view text);

}  // namespace turnpike::config
