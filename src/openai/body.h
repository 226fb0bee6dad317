#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "openai/conversation.h"
#include "openai/route.h"
#include "openai/splice.h"

namespace turnpike::openai {

// How much prompt a body carries, for the token estimate. Tools and system text count.
struct PromptSize {
  std::uint64_t text_bytes = 0;  // raw JSON bytes of text, with its syntax; without media
  std::uint64_t media = 0;       // runs of base64
  std::uint64_t token_ids = 0;   // of prompts given as token ids: exact

  // `bytes_per_token` > 0. Media count 1000 tokens each.
  [[nodiscard]] TokenCount estimate(double bytes_per_token = 4.0) const;
  friend bool operator==(const PromptSize&, const PromptSize&) = default;
};

// Which field of the body named the session.
enum class BodySession : std::uint8_t {
  none,
  conversation,  // of the Responses API
  metadata_session_id,
  session_id,
  conversation_id,
  metadata_user_id,  // of Anthropic's clients, where it carries a session
  prompt_cache_key
};

// A field that a scanner was told to look for.
struct NamedField {
  std::string name;  // of the top level, or FIELD.INNER
  std::string value;
};

inline constexpr std::size_t kBlockBytes = 1024;
inline constexpr std::size_t kMaxBlocks = 16'384;  // 16 MiB of prompt

// What a gateway needs to know of a body. Owns its strings: the body may move.
struct BodyFacts {
  std::string model;  // unescaped; empty only where the route does not require it
  bool stream = false;
  bool include_usage = false;  // the client asked for usage in the stream
  std::string user;  // `user`, `safety_identifier`, or a metadata.user_id without a session
  std::string
      session;  // of the first of these that is a non-empty string, in the order of BodySession
  BodySession session_field = BodySession::none;
  std::string previous_response;   // `previous_response_id`: what the request goes on from
  std::string kept_conversation;   // `conversation`, or its `id`: the same, kept by an endpoint
  std::vector<NamedField> fields;  // of those that were asked for, what is a string
  PromptSize prompt;
  // Of the prompt's raw bytes; never 0 if there is a prompt. Beyond 64 KiB only the first and last 32 KiB of each field and its
  // length are hashed: enough to recognise a client's retry of the very same request.
  std::uint64_t prompt_hash = 0;
  // The prompt as chained hashes of its blocks of 1 KiB of raw JSON, from the beginning: equal hashes mean equal prefixes. Tools and
  // the model are mixed into the first. What is left behind the last whole block has none. At most kMaxBlocks.
  std::vector<std::uint64_t> blocks;
  Conversation conversation;
  // The raw value of `model`, with its quotes: where an alias is put in.
  std::size_t model_at = 0;
  std::size_t model_size = 0;
  // Makes a stream carry usage; absent if it does already, or is no stream, or the route has no such option.
  std::optional<Splice> ask_for_usage;
};

// Always 400. `param` names the field; empty if the body as a whole is wrong.
struct BodyError {
  std::string message;
  std::string param;
};

// Reads bodies in one pass, without a document tree. What is checked: UTF-8, strings, the structure of the top level, the types
// of the fields that are read, and that none of them occurs twice (keys are compared unescaped). Anything deeper is the engine's
// to refuse. One per thread; it keeps working memory of a few bytes for each byte of the largest body up to 1 MiB.
class BodyScanner {
 public:
  // `fields`: read, too; see NamedField. Strings with escapes count as absent.
  explicit BodyScanner(std::vector<std::string> fields = {});
  ~BodyScanner();
  BodyScanner(BodyScanner&&) noexcept;
  BodyScanner& operator=(BodyScanner&&) noexcept;

  // ByteBuffer::kPadding bytes behind `body` must be readable; ByteBuffer sees to it.
  // Without `conversations` their messages are passed over, and BodyFacts::conversation is left empty.
  std::expected<BodyFacts, BodyError> scan(Route route, std::string_view body,
                                           bool conversations = true);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace turnpike::openai
