#include "openai/answer_notes.h"

#include <algorithm>

#include "base/hash_chain.h"

namespace turnpike::openai {

namespace {

constexpr std::size_t kLongestId = 256;

// The raw string behind `key` (which is given with its quotes), from `from` on; empty if there is none. A string that is cut off by the
// end of `json` counts as far as it goes.
std::string_view string_behind(std::string_view json, std::string_view key, std::size_t from = 0) {
  while (true) {
    const std::size_t at = json.find(key, from);
    if (at == std::string_view::npos) return {};
    from = at + key.size();
    std::size_t next = json.find_first_not_of(" \t\r\n", from);
    if (next == std::string_view::npos || json[next] != ':') continue;
    next = json.find_first_not_of(" \t\r\n", next + 1);
    if (next == std::string_view::npos || json[next] != '"') continue;
    const std::size_t begin = next + 1;
    std::size_t end = begin;
    while (end < json.size() && json[end] != '"') end += json[end] == '\\' ? 2 : 1;
    end = std::min(end, json.size());
    if (end == begin) continue;  // an empty one says nothing
    return json.substr(begin, end - begin);
  }
}

}  // namespace

void AnswerNotes::look(std::string_view json) {
  std::string_view call;
  std::string_view text;
  if (responses_) {
    // Its items have ids, too.
    std::string_view id = response_id_.empty() ? string_behind(json, "\"id\"") : std::string_view();
    while (!id.empty() && response_id_.empty()) {
      if (id.starts_with("resp") && id.size() <= kLongestId) response_id_ = id;
      id = string_behind(json, "\"id\"", static_cast<std::size_t>(id.data() - json.data()));
    }
    call = string_behind(json, "\"call_id\"");
    if (json.find("output_text") != std::string_view::npos) {
      text = string_behind(json, "\"delta\"");
      if (text.empty()) text = string_behind(json, "\"text\"", json.find("output_text"));
    }
  } else {
    const std::size_t calls = std::min(json.find("\"tool_calls\""), json.find("\"tool_use\""));
    if (calls != std::string_view::npos) call = string_behind(json, "\"id\"", calls);
    text = string_behind(json, "\"content\"");
    if (text.empty()) text = string_behind(json, "\"text\"");
  }
  if (!call.empty() && sign_.call == 0) sign_.call = hash_bytes(call);
  const bool short_of_text = sign_.take(text);
  over_ = (!short_of_text || sign_.call != 0) && (!responses_ || !response_id_.empty());
}

void AnswerNotes::event(std::string_view payload) {
  if (over_) return;
  look(payload);
  if (++events_ > kMostEvents) over_ = true;
}

void AnswerNotes::bytes(std::string_view data) {
  if (over_) return;
  kept_.append(data.substr(0, kKept - kept_.size()));
  if (kept_.size() == kKept) look_at_kept();
}

void AnswerNotes::look_at_kept() {
  if (!kept_.empty()) look(kept_);
  kept_ = {};
  over_ = true;
}

AnswerSign AnswerNotes::sign() {
  look_at_kept();
  AnswerSign sign = sign_;
  // Reasoning within the text: clients leave it out of what they send back.
  if (sign.text().starts_with("think")) sign.count = 0;
  return sign;
}

const std::string& AnswerNotes::response_id() {
  look_at_kept();
  return response_id_;
}

}  // namespace turnpike::openai
