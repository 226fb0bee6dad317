#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "app/engine/faults.h"
#include "app/engine/prompt.h"

// Whatever a client sends is understood or refused, and what is understood can be answered.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace turnpike;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const app::Api api : {app::Api::chat, app::Api::completion}) {
    const auto request = app::parse_generation(api, body);
    if (!request) continue;
    const TokenCount prompt = app::prompt_tokens(*request);
    if (prompt < TokenCount(1)) std::abort();
    const std::string answer = app::answer_text(request->rendered, TokenCount(20));
    const auto chain = app::block_chain(request->rendered, answer);
    // A completion's last token may be filled up by the answer, so that the bytes are up to three short of the tokens.
    const auto bytes = static_cast<std::int64_t>(request->rendered.size() + answer.size());
    if (std::ssize(chain) != bytes / (engine::kBlockTokens * app::kBytesPerToken)) std::abort();
    if (std::ssize(chain) > (prompt.value() + 20) / engine::kBlockTokens) std::abort();
  }
  static_cast<void>(app::parse_fault(body));
  return 0;
}
