#include <cstddef>
#include <cstdint>
#include <string_view>

#include "openai/answer_tail.h"
#include "openai/stream_usage.h"

// What an engine sends never hurts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace turnpike::openai;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  for (const Dialect dialect :
       {Dialect::openai, Dialect::anthropic, Dialect::responses, Dialect::native}) {
    StreamUsage usage(dialect);
    AnswerTail tail;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      usage.feed(line);
      tail.feed(line);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    const auto read = tail.usage();
    if (read.prompt_tokens && read.prompt_tokens->value() < 0) __builtin_trap();
    if (usage.usage().output_tokens && usage.usage().output_tokens->value() < 0) __builtin_trap();
    (void)tail.ended_in_tool_call();
  }
  return 0;
}
