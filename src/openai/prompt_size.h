#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "openai/body.h"

namespace turnpike::openai {

// Sizes of the raw JSON value of one prompt field (a string, messages, tools), without parsing it. Base64 is looked for at
// intervals of 4 KiB, so that the cost does not grow with the text: runs of 8 KiB and more are found for certain, those shorter
// than 4 KiB may count as text.
PromptSize measure_text(std::string_view raw);

// How many token ids the raw JSON array holds, if it is an array of numbers or of such arrays; else 0.
std::uint64_t count_token_ids(std::string_view raw);

// See BodyFacts::prompt_hash.
std::uint64_t hash_prompt(std::string_view raw, std::uint64_t seed);

// See BodyFacts::blocks. `seed` stands for all that must be equal before the first block.
std::vector<std::uint64_t> hash_blocks(std::string_view raw, std::uint64_t seed);

}  // namespace turnpike::openai
