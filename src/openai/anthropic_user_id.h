#pragma once

#include <string>
#include <string_view>

namespace turnpike::openai {

// The session that a client of Anthropic's API puts into `metadata.user_id`: {"session_id":"..."} or user_..._session_...; empty if the
// text, which must not be empty, is neither and only names somebody.
std::string session_in_user_id(std::string_view text);

}  // namespace turnpike::openai
