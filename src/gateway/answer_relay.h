#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/uio.h>

#include "core/pool/events.h"
#include "http/chunk.h"
#include "http/head.h"
#include "http/sse.h"
#include "openai/answer_notes.h"
#include "openai/answer_tail.h"
#include "openai/model_rename.h"
#include "openai/stream_usage.h"

namespace turnpike::gateway {

// What an answer looks like on both sides.
struct AnswerShape {
  http::Framing from = http::Framing::none;  // the endpoint's framing
  std::uint64_t content_length = 0;
  http::Framing to = http::Framing::none;  // the client's framing
  openai::Dialect dialect = openai::Dialect::openai;
  bool event_stream = false;  // server-sent events
  bool read_usage = false;    // the body says how many tokens it took
  bool read_notes = false;    // beside usage, what the client's next request may refer to
  bool hide_usage = false;    // the client did not ask for the usage event that we asked for
  // The model's name, and the one by which the client asked for it; empty: the same.
  std::string rename_from;
  std::string rename_to;
};

// The framing of the client's side. `edited`: its length may change on the way.
http::Framing client_framing(const http::ResponseHead& head, int client_minor_version, bool edited);

// The body of one answer on its way through: takes bytes as the endpoint framed them, gives bytes as the client is to see them,
// and reads in passing what the answer says of itself. It holds back at most the beginning of one server-sent event, and of an
// answer that is no stream it keeps a copy of the last bytes, to find the usage in. No I/O; one thread.
class AnswerRelay {
 public:
  explicit AnswerRelay(const AnswerShape& shape);

  enum class State : std::uint8_t { more, done, broken };
  // Appends to `out` views of what is to be sent now; they are good until the next call and as long as `bytes`.
  State feed(std::string_view bytes, std::vector<iovec>& out);
  // The endpoint closed its connection. Done if that is how this body ends, else broken.
  State end_of_input(std::vector<iovec>& out);

  // What carries the first token has been fed.
  [[nodiscard]] bool first_token_seen() const { return first_token_seen_; }
  [[nodiscard]] core::Usage usage() const;
  [[nodiscard]] bool ended_in_tool_call() const;
  // At the end of the answer, if it was to be read.
  [[nodiscard]] openai::AnswerNotes& notes() { return notes_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  // Bytes came behind the end of the body: the endpoint's connection cannot be used again.
  [[nodiscard]] bool has_excess() const { return excess_; }

 private:
  void take(std::string_view data);
  void emit(std::string_view bytes);
  void rename_model(bool last);
  void flush(bool last, std::vector<iovec>& out);

  AnswerShape shape_;
  http::ChunkDecoder decoder_;
  std::uint64_t left_;
  http::SseScanner scanner_;
  openai::StreamUsage stream_;
  openai::AnswerTail tail_;
  std::optional<openai::ModelRename> rename_;
  openai::AnswerNotes notes_;
  std::vector<std::string_view> pieces_;  // body bytes of this call, in order
  std::size_t piece_bytes_ = 0;
  std::deque<std::string> kept_;  // events that would not outlive the scanner's next step
  std::string chunk_head_;
  std::uint64_t events_ = 0;
  bool first_token_seen_ = false;
  bool excess_ = false;
};

}  // namespace turnpike::gateway
