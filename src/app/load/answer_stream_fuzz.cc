#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/load/answer_stream.h"

// An answer means the same however it was cut into reads.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using turnpike::app::AnswerStream;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  AnswerStream whole;
  whole.feed(bytes);
  AnswerStream split;
  const std::size_t cut = size == 0 ? 0 : data[0] % size;
  split.feed(bytes.substr(0, cut));
  split.feed(bytes.substr(cut));
  if (whole.complete() != split.complete() || whole.failed() != split.failed() ||
      whole.raw_text() != split.raw_text() || whole.prompt_tokens() != split.prompt_tokens() ||
      whole.completion_tokens() != split.completion_tokens()) {
    std::abort();
  }
  return 0;
}
