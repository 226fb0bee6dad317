#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "openai/answer_sign.h"

namespace turnpike::openai {

// Reads from an answer in passing what the next request of its client may refer to: how it began, its first tool call, and the id
// that the Responses API gives it. Looks for a few keys in the raw bytes and parses nothing; within a JSON string the quotes of a
// key would be escaped. Of an answer that is no stream only the first bytes are looked at, and kept until then. One thread.
class AnswerNotes {
 public:
  static constexpr std::size_t kKept = std::size_t{16} * 1024;
  static constexpr std::size_t kMostEvents = 8192;  // reasoning may come first

  // `responses`: the answer has an id, and its texts are in other fields.
  explicit AnswerNotes(bool responses = false) : responses_(responses) {}

  // The payload of one event.
  void event(std::string_view payload);
  // Some bytes of an answer that is no stream.
  void bytes(std::string_view data);
  // There is more to find out.
  [[nodiscard]] bool wants_more() const { return !over_; }

  // At the end of the answer.
  [[nodiscard]] AnswerSign sign();
  [[nodiscard]] const std::string& response_id();
  // As far as it is known.
  [[nodiscard]] const std::string& response_id_yet() const { return response_id_; }

 private:
  void look(std::string_view json);
  void look_at_kept();

  bool responses_;
  bool over_ = false;
  std::size_t events_ = 0;
  std::string kept_;
  AnswerSign sign_;
  std::string response_id_;
};

}  // namespace turnpike::openai
