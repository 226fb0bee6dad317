#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <sys/uio.h>

#include "net/address.h"
#include "net/reactor.h"

namespace turnpike::net {

// How an attempt to move bytes went. `bytes` counts what moved; `closed`: the peer will send (read) or take (write) no more.
struct Transfer {
  enum class Status : std::uint8_t { ok, would_block, closed, failed };
  Status status = Status::ok;
  std::size_t bytes = 0;

  // The connection is over: nothing will ever move this way again.
  [[nodiscard]] bool is_over() const {
    return status == Status::closed || status == Status::failed;
  }
};

inline iovec as_iovec(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

// A connected TCP socket, seen as readiness: read and write never wait and need a buffer only while bytes move, so an idle
// stream owns none. Whoever uses it binds a Signal, which is notified whenever something may have changed, and then asks again.
// The same interface suits TLS. The reactor's thread only; destroying it closes the socket at once.
class Stream final : public EventSource {
 public:
  Stream(Reactor& reactor, Fd fd, Signal& signal);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // Starts to connect; the outcome is `connecting()` turning false. An error at once is an error here.
  static Expected<Fd> start_connect(const Address& address);

  Transfer read(std::span<char> into);
  Transfer write(std::span<const iovec> pieces);
  Transfer write(std::string_view bytes);

  // False: a read would certainly block, and the signal will tell when that changes.
  [[nodiscard]] bool maybe_readable() const { return readable_ || hung_up_; }
  [[nodiscard]] bool maybe_writable() const { return writable_ || hung_up_; }
  // The peer has closed its sending side, or the connection broke; bytes may still be waiting to be read.
  [[nodiscard]] bool hung_up() const { return hung_up_; }
  // After start_connect: still in progress.
  [[nodiscard]] bool connecting() const { return connecting_; }
  // The peer has neither closed nor sent anything: between two answers, the connection can be used again.
  [[nodiscard]] bool quiet();
  // The error with which connecting or the connection failed, 0 if none.
  [[nodiscard]] int error() const;

  // Whom to tell from now on.
  void bind(Signal& signal) { signal_ = &signal; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The destructor will send RST, so that the peer cannot take what it got for complete.
  void reset_on_close();

  void on_ready(std::uint32_t events) override;

  // For a descriptor from start_connect.
  struct Connecting {};
  Stream(Reactor& reactor, Fd fd, Signal& signal, Connecting);

 private:
  // What the system said to an attempt to send.
  Transfer sent(ssize_t result, std::size_t wanted);

  Reactor& reactor_;
  Fd fd_;
  Signal* signal_;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool connecting_ = false;
};

// Loops of the above for tasks that have nothing else to watch than one stream and one deadline (admin, engine, load; the
// gateway's relay has its own). `deadline` may be null. They end early when the deadline expires or the stream breaks.
Task<Transfer> read_some(Stream& stream, Signal& signal, std::span<char> into, Deadline* deadline);
Task<bool> write_all(Stream& stream, Signal& signal, std::string_view bytes, Deadline* deadline);
Task<bool> wait_connected(Stream& stream, Signal& signal, Deadline* deadline);

}  // namespace turnpike::net
