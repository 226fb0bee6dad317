#include "gateway/answer_relay.h"

#include <algorithm>

#include "net/stream.h"

namespace turnpike::gateway {

http::Framing client_framing(const http::ResponseHead& head, int client_minor_version,
                             bool edited) {
  if (head.framing == http::Framing::none) return http::Framing::none;
  // What is edited has no length that could be known; any other body keeps the one it came with.
  if (head.framing == http::Framing::length && !edited) return http::Framing::length;
  return client_minor_version >= 1 ? http::Framing::chunked : http::Framing::until_close;
}

AnswerRelay::AnswerRelay(const AnswerShape& shape)
    : shape_(shape),
      left_(shape.from == http::Framing::length ? shape.content_length : 0),
      stream_(shape.dialect),
      notes_(shape.dialect == openai::Dialect::responses) {
  if (!shape.rename_from.empty())
    rename_.emplace(shape.rename_from, shape.rename_to, shape.event_stream);
}

core::Usage AnswerRelay::usage() const {
  if (!shape_.read_usage) return {};
  return shape_.event_stream ? stream_.usage() : tail_.usage();
}

bool AnswerRelay::ended_in_tool_call() const {
  if (!shape_.read_usage) return false;
  return shape_.event_stream ? stream_.ended_in_tool_call() : tail_.ended_in_tool_call();
}

AnswerRelay::State AnswerRelay::feed(std::string_view bytes, std::vector<iovec>& out) {
  pieces_.clear();
  piece_bytes_ = 0;
  kept_.clear();
  State state = State::more;
  switch (shape_.from) {
    case http::Framing::none:
      state = State::done;
      break;
    case http::Framing::until_close:
      take(bytes);
      bytes = {};
      break;
    case http::Framing::length: {
      const std::string_view body =
          bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
      left_ -= body.size();
      bytes.remove_prefix(body.size());
      take(body);
      if (left_ == 0) state = State::done;
      break;
    }
    case http::Framing::chunked:
      while (!bytes.empty() && state == State::more) {
        const http::ChunkDecoder::Step step = decoder_.feed(bytes);
        if (step.error) state = State::broken;
        if (step.done) state = State::done;
        take(step.data);
        bytes.remove_prefix(step.consumed);
      }
      break;
  }
  if (state == State::done) excess_ = !bytes.empty();
  flush(state == State::done, out);
  return state;
}

AnswerRelay::State AnswerRelay::end_of_input(std::vector<iovec>& out) {
  if (shape_.from != http::Framing::until_close) return State::broken;
  pieces_.clear();
  piece_bytes_ = 0;
  kept_.clear();
  flush(true, out);
  return State::done;
}

void AnswerRelay::take(std::string_view data) {
  if (data.empty()) return;
  const bool notes = shape_.read_notes && notes_.wants_more();
  if (!shape_.event_stream || !shape_.read_usage) {
    first_token_seen_ = true;
    if (shape_.read_usage) tail_.feed(data);
    if (notes) notes_.bytes(data);
    emit(data);
    return;
  }
  if (!shape_.hide_usage) emit(data);
  std::string_view rest = data;
  while (const auto event = scanner_.next(rest)) {
    bool hidden = false;
    if (event->has_data) {
      ++events_;
      if (notes) notes_.event(event->data);
      hidden = stream_.feed(event->data).usage_only;
      first_token_seen_ = stream_.saw_content();
    }
    if (!shape_.hide_usage || hidden) continue;
    const bool lasting =
        event->raw.data() >= data.data() && event->raw.data() < data.data() + data.size();
    emit(lasting ? event->raw : std::string_view(kept_.emplace_back(event->raw)));
  }
}

void AnswerRelay::emit(std::string_view bytes) {
  piece_bytes_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().data() + pieces_.back().size() == bytes.data()) {
    pieces_.back() = {pieces_.back().data(), pieces_.back().size() + bytes.size()};
  } else {
    pieces_.push_back(bytes);
  }
}

void AnswerRelay::rename_model(bool last) {
  rename_->clear();
  std::vector<std::string_view> renamed;
  for (const std::string_view piece : pieces_) rename_->feed(piece, renamed);
  if (last) rename_->finish(renamed);
  pieces_ = std::move(renamed);
  piece_bytes_ = 0;
  for (const std::string_view piece : pieces_) piece_bytes_ += piece.size();
}

void AnswerRelay::flush(bool last, std::vector<iovec>& out) {
  if (last && shape_.hide_usage && shape_.event_stream) {
    // An unfinished event at the very end is passed on as it is.
    if (const std::string_view rest = scanner_.pending(); !rest.empty()) emit(rest);
  }
  if (rename_) rename_model(last);
  const bool chunked = shape_.to == http::Framing::chunked;
  if (chunked && piece_bytes_ > 0) {
    chunk_head_.clear();
    http::write_chunk_header(chunk_head_, piece_bytes_);
    out.push_back(net::as_iovec(chunk_head_));
  }
  for (const std::string_view piece : pieces_) out.push_back(net::as_iovec(piece));
  if (chunked && piece_bytes_ > 0) out.push_back(net::as_iovec(http::kChunkEnd));
  if (chunked && last) out.push_back(net::as_iovec(http::kLastChunk));
}

}  // namespace turnpike::gateway
