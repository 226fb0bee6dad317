#include "openai/answer_sign.h"

#include <algorithm>

#include "base/ascii.h"

namespace turnpike::openai {

namespace {

// Fewer letters than these say nothing, unless they are all of both answers.
constexpr std::size_t kTelling = 8;

constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

bool AnswerSign::take(std::string_view raw) {
  for (std::size_t i = 0; i < raw.size() && count < kLetters; ++i) {
    if (raw[i] == '\\') {
      i += i + 1 < raw.size() && raw[i + 1] == 'u' ? 5 : 1;
      continue;
    }
    const char c = ascii_lower(raw[i]);
    if (is_letter(c)) letters[count++] = c;
  }
  return count < kLetters;
}

Likeness compare(const AnswerSign& known, const AnswerSign& shown) {
  if (known.call != 0 && shown.call != 0)
    return known.call == shown.call ? Likeness::same : Likeness::other;
  const std::size_t both = std::min(known.count, shown.count);
  if (both == 0) return Likeness::unknown;
  if (known.text().substr(0, both) != shown.text().substr(0, both)) return Likeness::other;
  return both >= kTelling || known.count == shown.count ? Likeness::same : Likeness::unknown;
}

}  // namespace turnpike::openai
