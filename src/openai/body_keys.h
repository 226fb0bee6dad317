#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

// What BodyScanner reads of a body's top level.
namespace turnpike::openai {

// Top-level keys that are read. `prompt`: any field that holds what the model is to read.
enum class BodyKey : std::uint8_t {
  none,
  model,
  stream,
  stream_options,
  user,
  safety_identifier,
  metadata,
  session_id,
  conversation_id,
  prompt_cache_key,
  previous_response_id,
  conversation,
  prompt,
};
struct KnownKey {
  std::string_view name;
  BodyKey key;
};
inline constexpr auto kBodyKeys = std::to_array<KnownKey>({
    {"model", BodyKey::model},
    {"messages", BodyKey::prompt},
    {"stream", BodyKey::stream},
    {"stream_options", BodyKey::stream_options},
    {"user", BodyKey::user},
    {"safety_identifier", BodyKey::safety_identifier},
    {"metadata", BodyKey::metadata},
    {"session_id", BodyKey::session_id},
    {"conversation_id", BodyKey::conversation_id},
    {"prompt_cache_key", BodyKey::prompt_cache_key},
    {"previous_response_id", BodyKey::previous_response_id},
    {"conversation", BodyKey::conversation},
    {"prompt", BodyKey::prompt},
    {"input", BodyKey::prompt},
    {"inputs", BodyKey::prompt},
    {"tools", BodyKey::prompt},
    {"functions", BodyKey::prompt},
    {"system", BodyKey::prompt},
    {"instructions", BodyKey::prompt},
    {"suffix", BodyKey::prompt},
    {"text", BodyKey::prompt},
    {"query", BodyKey::prompt},
    {"documents", BodyKey::prompt},
    {"text_1", BodyKey::prompt},
    {"text_2", BodyKey::prompt},
});

// The fields that a conversation's turns extend. All others stay as they are from turn to turn.
constexpr bool grows(std::string_view field) {
  return field == "messages" || field == "prompt" || field == "input";
}

// Index into kBodyKeys, or its size.
inline std::size_t find_key(std::string_view name) {
  for (std::size_t i = 0; i < kBodyKeys.size(); ++i) {
    if (kBodyKeys[i].name == name) return i;
  }
  return kBodyKeys.size();
}

}  // namespace turnpike::openai
