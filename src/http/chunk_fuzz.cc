#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "http/chunk.h"

namespace {

struct Outcome {
  std::string body;
  std::size_t consumed = 0;
  bool done = false;
  bool failed = false;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

// Feeds `step` bytes at a time.
Outcome decode(std::string_view in, std::size_t step) {
  turnpike::http::ChunkDecoder decoder;
  Outcome outcome;
  while (!in.empty() && !decoder.done() && !decoder.failed()) {
    std::string_view part = in.substr(0, step);
    while (!part.empty() && !decoder.done() && !decoder.failed()) {
      const auto fed = decoder.feed(part);
      outcome.body += fed.data;
      outcome.consumed += fed.consumed;
      part.remove_prefix(fed.consumed);
      in.remove_prefix(fed.consumed);
    }
  }
  outcome.done = decoder.done();
  outcome.failed = decoder.failed();
  return outcome;
}

}  // namespace

// The split of the input must not matter.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const Outcome whole = decode(text, size + 1);
  if (!(decode(text, 1) == whole) || !(decode(text, 7) == whole)) __builtin_trap();
  if (whole.consumed > size) __builtin_trap();
  return 0;
}
