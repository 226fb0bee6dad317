#include "openai/usage_fields.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace turnpike::openai {

namespace {

namespace od = simdjson::ondemand;

// No answer takes more; sums of such counts cannot overflow.
constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;

std::optional<TokenCount> count_of(od::value value) {
  std::int64_t number = 0;
  if (value.get_int64().get(number) || number < 0 || number > kMostTokens) return std::nullopt;
  return TokenCount(number);
}

}  // namespace

// Anthropic counts cached tokens apart from input_tokens; llama.cpp's timings count the computed ones apart from the cached.
core::Usage read_usage(od::object object) {
  core::Usage usage;
  std::optional<TokenCount> input;
  std::optional<TokenCount> cache_read;
  std::optional<TokenCount> cache_written;
  std::optional<TokenCount> total;
  std::optional<TokenCount> computed;
  bool input_includes_cached = false;
  for (auto entry : object) {
    od::field field;
    if (std::move(entry).get(field)) break;
    std::string_view name;
    if (field.unescaped_key().get(name)) break;
    if (name == "prompt_tokens") {
      usage.prompt_tokens = count_of(field.value());
    } else if (name == "completion_tokens" || name == "output_tokens" ||
               name == "generated_tokens" || name == "predicted_n") {
      usage.output_tokens = count_of(field.value());
    } else if (name == "cached_tokens" || name == "cache_n") {
      usage.cached_tokens = count_of(field.value());
    } else if (name == "total_tokens") {
      total = count_of(field.value());
    } else if (name == "prompt_n") {
      computed = count_of(field.value());
    } else if (name == "input_tokens") {
      input = count_of(field.value());
    } else if (name == "cache_read_input_tokens") {
      cache_read = count_of(field.value());
    } else if (name == "cache_creation_input_tokens") {
      cache_written = count_of(field.value());
    } else if (name == "prompt_tokens_details" || name == "input_tokens_details") {
      od::object details;
      input_includes_cached = true;
      if (field.value().get_object().get(details)) continue;
      od::value cached;
      if (!details.find_field_unordered("cached_tokens").get(cached))
        usage.cached_tokens = count_of(cached);
    }
  }
  if (!usage.prompt_tokens && input) {
    usage.prompt_tokens = input;
    if (!input_includes_cached) {
      *usage.prompt_tokens +=
          cache_read.value_or(TokenCount(0)) + cache_written.value_or(TokenCount(0));
      usage.cached_tokens = cache_read;
    }
  }
  if (!usage.prompt_tokens && computed)
    usage.prompt_tokens = *computed + usage.cached_tokens.value_or(TokenCount(0));
  // Scores and ranks have no output.
  if (!usage.prompt_tokens && !usage.output_tokens) usage.prompt_tokens = total;
  return usage;
}

void merge_usage(core::Usage& into, const core::Usage& said) {
  if (said.prompt_tokens) into.prompt_tokens = said.prompt_tokens;
  if (said.cached_tokens) into.cached_tokens = said.cached_tokens;
  if (said.output_tokens) into.output_tokens = said.output_tokens;
}

}  // namespace turnpike::openai
