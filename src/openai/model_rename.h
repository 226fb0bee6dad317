#pragma once

#include <array>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::openai {

// Gives an answer's `model` the name by which the client asked for it, as the bytes pass: in every event of a stream, or in a whole JSON
// body, at the top level and in the `response` and `message` of Responses and Anthropic events. Any other text stays as it is, also where it is the
// same; a name of another model stays, too. Never fails: what is no JSON passes. One thread.
class ModelRename {
 public:
  // `event_stream`: every line begins anew.
  ModelRename(std::string_view from, std::string_view to, bool event_stream);

  // Appends to `out` what is to be sent in place of `bytes`: views of them or of what this keeps, good until clear().
  void feed(std::string_view bytes, std::vector<std::string_view>& out);
  // At the end: what was held back.
  void finish(std::vector<std::string_view>& out);
  // What was given out has been sent.
  void clear() { kept_.clear(); }

 private:
  static constexpr std::size_t kDepth = 2;       // levels whose keys are looked at
  static constexpr std::size_t kLongestKey = 8;  // "response"

  void start_over();
  void structural(char c);
  [[nodiscard]] bool names_model() const;
  void keep(std::string text, std::vector<std::string_view>& out);

  const std::string from_;  // as JSON strings, with their quotes
  const std::string to_;
  const bool event_stream_;

  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool in_key_ = false;
  bool matching_ = false;  // the bytes of the value so far are those of from_
  struct Level {
    bool is_object = false;
    bool at_key = false;  // the next string is a key
    std::string key;      // the last one, cut off one byte beyond what can matter
  };
  std::array<Level, kDepth + 1> levels_;  // by depth; the first is unused
  std::string held_;                      // the beginning of a value that may have to be replaced
  std::deque<std::string> kept_;
};

}  // namespace turnpike::openai
