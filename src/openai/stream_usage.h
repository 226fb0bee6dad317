#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/pool/events.h"
#include "openai/route.h"

namespace turnpike::openai {

// What one event of a stream was.
struct EventFacts {
  bool content =
      false;  // non-empty content, reasoning, refusal or tool-call delta; told until the first such event only
  bool usage_only = false;  // usage and no choices: kept from a client that had not asked for it
  bool done = false;        // "[DONE]"
  bool error = false;       // an error object in place of a chunk
};

// Watches the events of a streamed answer in passing. Most events are only searched for two keys; those that carry something are
// parsed. Never fails: what it does not understand it passes over. One thread.
class StreamUsage {
 public:
  explicit StreamUsage(Dialect dialect = Dialect::openai) : dialect_(dialect) {}

  EventFacts feed(std::string_view payload);

  // The latest that was said: engines may send running totals in every event.
  [[nodiscard]] const core::Usage& usage() const { return usage_; }
  [[nodiscard]] bool saw_content() const { return saw_content_; }
  [[nodiscard]] bool saw_done() const { return saw_done_; }
  // A finish reason was given: the answer is whole, though no [DONE] may follow (some engines send none).
  [[nodiscard]] bool saw_finish() const { return saw_finish_; }
  [[nodiscard]] bool ended_in_tool_call() const { return ended_in_tool_call_; }

 private:
  struct Parser;
  EventFacts feed_openai(std::string_view payload);
  EventFacts feed_anthropic(std::string_view payload);
  EventFacts feed_responses(std::string_view payload);
  EventFacts feed_native(std::string_view payload);

  Dialect dialect_;
  core::Usage usage_;
  bool saw_content_ = false;
  bool saw_done_ = false;
  bool saw_finish_ = false;
  bool ended_in_tool_call_ = false;
};

}  // namespace turnpike::openai
