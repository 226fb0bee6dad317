#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/pool/events.h"

namespace turnpike::openai {

// Usage of an answer that is not a stream, from the last bytes of it: engines write usage behind the text. Holds at most
// 2 x kKept bytes. One thread.
class AnswerTail {
 public:
  static constexpr std::size_t kKept = std::size_t{16} * 1024;

  void feed(std::string_view bytes);
  // At the end of the body. Both know the field names of all dialects.
  [[nodiscard]] core::Usage usage() const;
  [[nodiscard]] bool ended_in_tool_call() const;

 private:
  [[nodiscard]] std::string_view last_object(std::string_view quoted_key) const;

  std::string tail_;
};

}  // namespace turnpike::openai
