#pragma once

#include <simdjson.h>

#include "core/pool/events.h"

namespace turnpike::openai {

// Reads the object in which an answer says how many tokens it took: `usage` of OpenAI (chat, Responses, embeddings) and of Anthropic,
// SGLang's `meta_info`, TGI's `details`, llama.cpp's `timings`. What it does not know it passes over.
core::Usage read_usage(simdjson::ondemand::object object);

// Takes over what `said` knows.
void merge_usage(core::Usage& into, const core::Usage& said);

}  // namespace turnpike::openai
