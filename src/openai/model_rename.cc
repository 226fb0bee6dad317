#include "openai/model_rename.h"

#include <utility>

#include "base/json_text.h"

namespace turnpike::openai {

namespace {

std::string as_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

}  // namespace

ModelRename::ModelRename(std::string_view from, std::string_view to, bool event_stream)
    : from_(as_json(from)), to_(as_json(to)), event_stream_(event_stream) {}

void ModelRename::start_over() {
  depth_ = 0;
  in_string_ = escaped_ = in_key_ = matching_ = false;
}

// A byte outside of strings.
void ModelRename::structural(char c) {
  const bool known = depth_ >= 1 && depth_ <= static_cast<int>(kDepth);
  switch (c) {
    case '{':
    case '[':
      ++depth_;
      if (depth_ <= static_cast<int>(kDepth)) {
        Level& level = levels_[static_cast<std::size_t>(depth_)];
        level.is_object = level.at_key = c == '{';
        level.key.clear();
      }
      break;
    case '}':
    case ']':
      if (depth_ > 0) --depth_;
      break;
    case ',':
      if (known) {
        Level& level = levels_[static_cast<std::size_t>(depth_)];
        level.at_key = level.is_object;
      }
      break;
    case ':':
      if (known) levels_[static_cast<std::size_t>(depth_)].at_key = false;
      break;
    default:
      break;
  }
}

// Whether the string that begins here is the value of a `model` that counts.
bool ModelRename::names_model() const {
  if (depth_ < 1 || depth_ > static_cast<int>(kDepth)) return false;
  const Level& level = levels_[static_cast<std::size_t>(depth_)];
  if (!level.is_object || level.at_key || level.key != "model") return false;
  return depth_ == 1 || levels_[1].key == "response" || levels_[1].key == "message";
}

void ModelRename::keep(std::string text, std::vector<std::string_view>& out) {
  out.push_back(kept_.emplace_back(std::move(text)));
}

void ModelRename::feed(std::string_view bytes, std::vector<std::string_view>& out) {
  std::size_t sent = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (!in_string_) {
      if (c != '"') {
        if (c == '\n' && event_stream_) {
          start_over();
        } else {
          structural(c);
        }
        continue;
      }
      if (depth_ == 0) continue;  // no JSON
      in_string_ = true;
      const bool known = depth_ <= static_cast<int>(kDepth);
      in_key_ = known && levels_[static_cast<std::size_t>(depth_)].at_key;
      if (in_key_) levels_[static_cast<std::size_t>(depth_)].key.clear();
      matching_ = names_model();
      if (matching_) {
        if (i > sent) out.push_back(bytes.substr(sent, i - sent));
        sent = i;
        held_ = c;
      }
      continue;
    }
    const bool ends = c == '"' && !escaped_;
    escaped_ = c == '\\' && !escaped_;
    if (ends) in_string_ = false;
    if (in_key_ && !ends) {
      std::string& key = levels_[static_cast<std::size_t>(depth_)].key;
      if (key.size() <= kLongestKey) key.push_back(c);
    }
    if (ends) in_key_ = false;
    if (!matching_) continue;
    held_.push_back(c);
    if (held_.size() > from_.size() || held_.back() != from_[held_.size() - 1]) {
      keep(std::exchange(held_, {}), out);
      sent = i + 1;
      matching_ = false;
    } else if (ends && held_.size() == from_.size()) {
      held_.clear();
      out.push_back(to_);
      sent = i + 1;
      matching_ = false;
    }
  }
  if (!matching_ && sent < bytes.size()) out.push_back(bytes.substr(sent));
}

void ModelRename::finish(std::vector<std::string_view>& out) {
  if (!held_.empty()) keep(std::exchange(held_, {}), out);
  start_over();
}

}  // namespace turnpike::openai
