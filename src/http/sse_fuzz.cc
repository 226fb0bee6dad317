#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/sse.h"

namespace {

struct Seen {
  std::string raw;
  std::vector<std::string> data;
  bool fragments = false;
};

Seen scan(std::string_view in, std::size_t step, std::size_t bound) {
  turnpike::http::SseScanner scanner(bound);
  Seen seen;
  while (!in.empty()) {
    std::string_view part = in.substr(0, step);
    in.remove_prefix(part.size());
    while (const auto event = scanner.next(part)) {
      seen.raw += event->raw;
      seen.fragments = seen.fragments || event->fragment;
      if (event->has_data) seen.data.emplace_back(event->data);
    }
    if (!part.empty() || scanner.pending().size() > bound) __builtin_trap();
  }
  seen.raw += scanner.pending();
  return seen;
}

}  // namespace

// No byte is lost, and the split of the input must not matter.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Seen whole = scan(text, size + 1, size + 1);
  if (whole.raw != text || whole.fragments) __builtin_trap();
  for (const std::size_t step : {1U, 5U}) {
    if (scan(text, step, size + 1).data != whole.data) __builtin_trap();
    if (scan(text, step, 10).raw != text) __builtin_trap();
  }
  return 0;
}
