#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/byte_buffer.h"
#include "openai/body.h"

// Any bytes are refused with a reason or read; what asks for usage leaves a body that does.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace turnpike::openai;
  static BodyScanner scanner;
  turnpike::ByteBuffer buffer;
  static_cast<void>(buffer.prepare(1));  // there is memory to look at even if nothing is put in
  buffer.append({reinterpret_cast<const char*>(bytes), size});
  const auto facts = scanner.scan(Route::chat_completions, buffer.view());
  const auto without = scanner.scan(Route::chat_completions, buffer.view(), false);
  if (!facts) {
    if (without || facts.error().message.empty()) __builtin_trap();
    return 0;
  }
  // What the messages tell changes nothing else. (Of what is broken within them either may be the first to stumble.)
  if (without && (without->prompt_hash != facts->prompt_hash || without->blocks != facts->blocks ||
                  !(without->prompt == facts->prompt)))
    __builtin_trap();
  for (const PromptMark& mark : facts->conversation.marks) {
    if (std::size_t{mark.answer_at} + mark.answer_size > size) __builtin_trap();
  }
  if (facts->model.empty() || facts->model_at + facts->model_size > size) __builtin_trap();
  if (!facts->ask_for_usage) return 0;
  SplicedBody spliced(buffer.view());
  spliced.add(*facts->ask_for_usage);
  std::string out;
  spliced.append_to(out);
  turnpike::ByteBuffer again;
  again.append(out);
  const auto after = scanner.scan(Route::chat_completions, again.view());
  if (!after || !after->include_usage || after->model != facts->model) __builtin_trap();
  if (after->prompt_hash != facts->prompt_hash || !(after->prompt == facts->prompt))
    __builtin_trap();
  return 0;
}
