#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/byte_buffer.h"
#include "base/units.h"
#include "http/chunk.h"
#include "http/head.h"
#include "net/stream.h"

namespace turnpike::net {

struct ServerLimits {
  http::HeadLimits head;
  std::uint64_t body_bytes = std::uint64_t{64} << 20U;
  Duration idle = std::chrono::seconds(75);  // between requests on a kept connection
  Duration head_arrival =
      std::chrono::seconds(30);  // from a request's first byte to the end of its head
  Duration body_pause = std::chrono::seconds(30);  // longest silence while a body arrives
  Duration write_stall = std::chrono::minutes(2);  // longest time without the peer taking a byte
};

// What became of an attempt to read a request, or a part of it.
struct Receipt {
  enum class Status : std::uint8_t {
    complete,
    closed,     // the peer ended the connection between requests: nothing to say
    broken,     // ... in the middle of one
    timed_out,  // ... or stopped sending
    invalid,  // refused: `http_status` and `why` say how; the connection must be closed after the answer
  };
  Status status = Status::complete;
  int http_status = 0;
  std::string_view why = {};
};

// The server side of one HTTP/1.1 connection: reads requests one after the other, strictly; keeps what is pipelined; notices
// its peer leaving at any time (`gone()`), also while nobody reads. It owns a buffer only from the first byte of a head
// until the head has been dealt with. One request at a time; the reactor's thread only.
class ServerConnection {
 public:
  // With `tls`, the handshake comes first.
  ServerConnection(Reactor& reactor, Fd fd, const ServerLimits& limits, Ssl tls = nullptr);

  // Before the first request of a connection with TLS. False: it failed, or took longer than a head may.
  Task<bool> handshake();

  // Waits for the next request's head. Views in `head` are good until release_head().
  Task<Receipt> read_head(http::RequestHead& head);
  // Reads the body that `head` announced and appends it to `body`. Answers `Expect: 100-continue` first.
  Task<Receipt> read_body(const http::RequestHead& head, ByteBuffer& body);
  // The same without waiting, if the whole body has arrived with the head (or there is none): true if so.
  bool take_body_at_hand(const http::RequestHead& head, ByteBuffer& body);
  // The head's bytes are not needed any more.
  void release_head();

  // Writes everything; false if the peer left or takes nothing for longer than the limit.
  Task<bool> write(std::string_view bytes);

  // Turns true, and notifies the signal, when read_head should wait no longer for a request that has not begun.
  void stop_when_idle();
  [[nodiscard]] bool gone() const { return stream_.hung_up(); }
  [[nodiscard]] Stream& stream() { return stream_; }
  [[nodiscard]] Signal& signal() { return signal_; }
  [[nodiscard]] const ServerLimits& limits() const { return limits_; }

 private:
  Task<Transfer> fill(ByteBuffer& buffer, std::size_t room);
  Task<Receipt> read_counted(std::size_t length, ByteBuffer& body);
  Task<Receipt> read_chunked(ByteBuffer& body);

  const ServerLimits& limits_;
  Signal signal_;
  Deadline deadline_;
  Stream stream_;
  ByteBuffer input_;       // read from the socket, not yet taken
  ByteBuffer head_bytes_;  // what the views of the current head look into
  bool stopping_ = false;
};

}  // namespace turnpike::net
