#include "openai/anthropic_user_id.h"

#include <cstddef>

namespace turnpike::openai {

std::string session_in_user_id(std::string_view text) {
  if (text.front() == '{') {
    constexpr std::string_view kKey = "\"session_id\"";
    std::size_t at = text.find(kKey);
    if (at == std::string_view::npos) return {};
    at = text.find_first_not_of(" \t\r\n:", at + kKey.size());
    if (at == std::string_view::npos || text[at] != '"') return {};
    const std::size_t end = text.find('"', at + 1);
    return end == std::string_view::npos ? std::string()
                                         : std::string(text.substr(at + 1, end - at - 1));
  }
  constexpr std::string_view kMark = "_session_";
  const std::size_t at = text.rfind(kMark);
  return text.starts_with("user_") && at != std::string_view::npos
             ? std::string(text.substr(at + kMark.size()))
             : std::string();
}

}  // namespace turnpike::openai
