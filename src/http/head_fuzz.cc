#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.h"
#include "http/write.h"

// Whatever is accepted is accepted however it is split, and is read back to the same from what the writer makes of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace turnpike::http;
  // What we write has fields of our own beside those that were passed on, up to the limit.
  constexpr HeadLimits kRoomy{.max_bytes = std::size_t{128} * 1024, .max_fields = 256};
  if (size == 0) return 0;
  const std::size_t split = bytes[0];
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);

  RequestHead whole;
  std::size_t scanned = 0;
  const ParseResult result = parse_request_head(text, scanned, {}, whole);
  RequestHead parts;
  scanned = 0;
  ParseResult again =
      parse_request_head(text.substr(0, std::min(split, text.size())), scanned, {}, parts);
  if (again.status == ParseStatus::incomplete) again = parse_request_head(text, scanned, {}, parts);
  if ((again.status == ParseStatus::complete) != (result.status == ParseStatus::complete))
    __builtin_trap();
  if (result.status == ParseStatus::complete) {
    if (again.consumed != result.consumed || parts.fields.size() != whole.fields.size())
      __builtin_trap();
    std::string out;
    write_request_head(
        out, whole,
        {.host = "h", .framing = whole.framing, .content_length = whole.content_length});
    RequestHead rebuilt;
    scanned = 0;
    const ParseResult back = parse_request_head(out, scanned, kRoomy, rebuilt);
    if (back.status != ParseStatus::complete || back.consumed != out.size()) __builtin_trap();
    if (rebuilt.framing != whole.framing || rebuilt.content_length != whole.content_length)
      __builtin_trap();
    if (rebuilt.target != whole.target || rebuilt.method != whole.method) __builtin_trap();
  }

  ResponseHead response;
  scanned = 0;
  if (parse_response_head(text, scanned, {}, (split & 1U) != 0, response).status ==
      ParseStatus::complete) {
    std::string out;
    write_response_head(out, response,
                        {.framing = response.framing, .content_length = response.content_length});
    ResponseHead rebuilt;
    scanned = 0;
    if (parse_response_head(out, scanned, kRoomy, false, rebuilt).status != ParseStatus::complete)
      __builtin_trap();
  }
  return 0;
}
