#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace turnpike::openai {

// How an answer began: what tells it from other answers to the same prompt, when its client sends it back with the next one. The
// first letters and digits of its text, without case, blanks and escapes, so that it is the same whoever has written the JSON.
struct AnswerSign {
  static constexpr std::size_t kLetters = 24;

  std::array<char, kLetters> letters{};
  std::uint8_t count = 0;  // of the letters known; 0: nothing is
  std::uint64_t call = 0;  // hash of the id of its first tool call; 0: none

  // Takes what raw JSON text holds, until there are enough. True while there are not.
  bool take(std::string_view raw);
  [[nodiscard]] std::string_view text() const { return {letters.data(), count}; }
};

enum class Likeness : std::uint8_t { unknown, same, other };
// Whether an answer that began like `known` can be the one that a prompt shows.
Likeness compare(const AnswerSign& known, const AnswerSign& shown);

}  // namespace turnpike::openai
