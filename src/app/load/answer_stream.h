#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/sse.h"

namespace turnpike::app {

// What a load client needs of a streamed chat answer, found by scanning: no JSON document is built for a token. Tolerant of
// every engine's dialect: usage in a chunk of its own or with the last one, a missing [DONE], null contents. One answer.
class AnswerStream {
 public:
  // True if these bytes held the first content: text, reasoning, refusal or a tool call, not the role.
  bool feed(std::string_view bytes);

  // Finish reason, usage or [DONE] came: the answer is whole.
  [[nodiscard]] bool complete() const { return done_ || finished_; }
  // An error event came.
  [[nodiscard]] bool failed() const { return !error_.empty(); }
  [[nodiscard]] std::string_view error() const { return error_; }
  [[nodiscard]] bool has_content() const { return content_events_ > 0; }

  // The text of the answer as it stood in JSON strings, escapes and all: it can go back into a JSON string as it is.
  [[nodiscard]] const std::string& raw_text() const { return text_; }

  [[nodiscard]] std::optional<std::int64_t> prompt_tokens() const { return prompt_tokens_; }
  [[nodiscard]] std::optional<std::int64_t> cached_tokens() const { return cached_tokens_; }
  // As reported, else the number of events with content.
  [[nodiscard]] std::int64_t completion_tokens() const {
    return completion_tokens_.value_or(content_events_);
  }

 private:
  void take(std::string_view data);

  http::SseScanner scanner_;
  std::string text_;
  std::string error_;
  std::int64_t content_events_ = 0;
  std::optional<std::int64_t> prompt_tokens_;
  std::optional<std::int64_t> cached_tokens_;
  std::optional<std::int64_t> completion_tokens_;
  bool finished_ = false;
  bool done_ = false;
};

}  // namespace turnpike::app
