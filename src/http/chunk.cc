#include "http/chunk.h"

#include <algorithm>
#include <charconv>

#include "base/ascii.h"

namespace turnpike::http {

namespace {

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}
// What may stand in an extension or a trailer.
bool is_text(char c) {
  const auto u = static_cast<unsigned char>(c);
  return c == '\t' || (u >= 0x20 && u != 0x7f);
}

}  // namespace

bool ChunkDecoder::take_digit(char c) {
  const int digit = hex_value(c);
  if (digit < 0) return false;
  left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
  return left_ <= limits_.max_chunk;
}

bool ChunkDecoder::take(char c) {
  switch (state_) {
    case State::size_first:
      left_ = 0;
      state_ = State::size;
      return take_digit(c);
    case State::size:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      if (c != ';') return take_digit(c);
      state_ = State::extension;
      return ++extension_bytes_ <= limits_.max_extensions;
    case State::extension:
      if (c == '\r') {
        state_ = State::size_lf;
        return true;
      }
      return is_text(c) && ++extension_bytes_ <= limits_.max_extensions;
    case State::size_lf:
      state_ = left_ == 0 ? State::trailer_start : State::payload;
      return c == '\n';
    case State::payload_cr:
      state_ = State::payload_lf;
      return c == '\r';
    case State::payload_lf:
      state_ = State::size_first;
      return c == '\n';
    case State::trailer_start:
      if (c == '\r') {
        state_ = State::end_lf;
        return true;
      }
      // A blank would fold the line; a colon would leave it without a name.
      state_ = State::trailer;
      return c != ' ' && c != '\t' && c != ':' && is_text(c) &&
             ++trailer_bytes_ <= limits_.max_trailers;
    case State::trailer:
      if (c == '\r') {
        state_ = State::trailer_lf;
        return true;
      }
      return is_text(c) && ++trailer_bytes_ <= limits_.max_trailers;
    case State::trailer_lf:
      state_ = State::trailer_start;
      return c == '\n';
    case State::end_lf:
      state_ = State::done;
      return c == '\n';
    case State::payload:
    case State::done:
    case State::failed:
      break;
  }
  return false;
}

ChunkDecoder::Step ChunkDecoder::feed(std::string_view in) {
  Step step;
  while (step.consumed < in.size() && state_ != State::done && state_ != State::failed) {
    if (state_ == State::payload) {
      step.data = in.substr(step.consumed, static_cast<std::size_t>(std::min<std::uint64_t>(
                                               left_, in.size() - step.consumed)));
      step.consumed += step.data.size();
      left_ -= step.data.size();
      if (left_ != 0) break;
      state_ = State::payload_cr;
      // The line end behind the data rarely comes in another read; take it along, so that one chunk
      // is one step.
      if (in.substr(step.consumed, 2) == "\r\n") {
        step.consumed += 2;
        state_ = State::size_first;
      }
      break;
    }
    if (!take(in[step.consumed])) {
      state_ = State::failed;
      break;
    }
    ++step.consumed;
  }
  step.done = state_ == State::done;
  step.error = state_ == State::failed;
  return step;
}

void write_chunk_header(std::string& out, std::uint64_t size) {
  char digits[16];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, size, 16);
  out.append(digits, end);
  out.append("\r\n");
}

void write_chunk(std::string& out, std::string_view data) {
  write_chunk_header(out, data.size());
  out.append(data);
  out.append(kChunkEnd);
}

}  // namespace turnpike::http
