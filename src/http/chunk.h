#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace turnpike::http {

struct ChunkLimits {
  std::uint64_t max_chunk = std::uint64_t{1} << 40U;    // bytes in one chunk
  std::size_t max_extensions = std::size_t{16} * 1024;  // bytes of extensions in one body
  std::size_t max_trailers = std::size_t{8} * 1024;     // bytes of trailers
};

// Reads a chunked body as it arrives. Strict: sizes are hex digits and nothing else, every line
// ends in CRLF. Extensions and trailers are checked, bounded and dropped. Holds no bytes: data are
// views into what was fed. After an error or the end, feeding more takes nothing. One thread.
class ChunkDecoder {
 public:
  explicit ChunkDecoder(const ChunkLimits& limits = {}) : limits_(limits) {}

  struct Step {
    std::size_t consumed = 0;  // of what was fed
    std::string_view data;     // body bytes, at most one run a step; may be empty
    bool done = false;   // the body has ended; bytes after `consumed` belong to the next message
    bool error = false;  // not a chunked body: close the connection
  };
  // Call again with the rest until everything is consumed, or done, or error.
  Step feed(std::string_view in);

  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] bool failed() const { return state_ == State::failed; }
  void reset() { *this = ChunkDecoder(limits_); }

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    payload,
    payload_cr,
    payload_lf,
    trailer_start,
    trailer,
    trailer_lf,
    end_lf,
    done,
    failed,
  };
  // Takes one byte of the framing; false if it cannot stand there.
  bool take(char c);
  bool take_digit(char c);

  ChunkLimits limits_;
  State state_ = State::size_first;
  std::uint64_t left_ = 0;  // of the size line: what was read of it; of the payload: bytes to come
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
};

// "1a2b\r\n". A chunk is this, the data, and "\r\n". `size` > 0: zero would end the body.
void write_chunk_header(std::string& out, std::uint64_t size);
void write_chunk(std::string& out, std::string_view data);
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace turnpike::http
