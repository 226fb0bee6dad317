#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/address.h"
#include "net/reactor.h"
#include "net/ssl.h"
#include "net/transfer.h"

namespace turnpike::net {

class TlsSession;

// A connected TCP socket, with or without TLS on it, seen as readiness: read and write never wait and need a buffer only while
// bytes move, so an idle stream owns none. Whoever uses it binds a Signal, which is notified whenever something may have changed,
// and then asks again. The reactor's thread only; destroying it closes the socket at once (TLS: after telling the peer that
// this is the end, if the socket takes it).
class Stream final : public EventSource {
 public:
  // An accepted connection; with `tls`, it is connecting() until the handshake has ended.
  Stream(Reactor& reactor, Fd fd, Signal& signal, Ssl tls = nullptr);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream();

  // Starts to connect; the outcome is `connecting()` turning false. An error at once is an error here.
  static Expected<Fd> start_connect(const Address& address);

  Transfer read(std::span<char> into);
  // What was not taken comes again, from the same byte on and no less of it, before anything else (TLS has made a record of it).
  Transfer write(std::span<const iovec> pieces);
  Transfer write(std::string_view bytes);

  // False: a read would certainly block, and the signal will tell when that changes.
  [[nodiscard]] bool maybe_readable() const { return readable_ || hung_up_; }
  [[nodiscard]] bool maybe_writable() const { return writable_ || hung_up_; }
  // The peer has closed its sending side, or the connection broke; bytes may still be waiting to be read.
  [[nodiscard]] bool hung_up() const { return hung_up_; }
  // Not ready for bytes yet: the connection or the TLS handshake, which goes on whenever this is asked, is in progress.
  [[nodiscard]] bool connecting() { return connecting_ && still_connecting(); }
  // The peer has neither closed nor sent anything: between two answers, the connection can be used again.
  [[nodiscard]] bool quiet();
  // The error with which connecting or the connection failed, 0 if none; EPROTO: the handshake did.
  [[nodiscard]] int error() const;
  // The same in words.
  [[nodiscard]] std::string failure() const;
  // The protocol that the handshake agreed on ("h2", "http/1.1"); empty: none.
  [[nodiscard]] std::string_view protocol() const;
  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }

  // Whom to tell from now on.
  void bind(Signal& signal) { signal_ = &signal; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The destructor will send RST, so that the peer cannot take what it got for complete.
  void reset_on_close();

  void on_ready(std::uint32_t events) override;

  // For a descriptor from start_connect.
  struct Connecting {};
  Stream(Reactor& reactor, Fd fd, Signal& signal, Connecting, Ssl tls = nullptr);

 private:
  // What the system said to an attempt to send.
  Transfer sent(ssize_t result, std::size_t wanted);
  bool still_connecting();
  Transfer read_tls(std::span<char> into);
  Transfer write_tls(std::span<const iovec> pieces);

  Reactor& reactor_;
  Fd fd_;
  Signal* signal_;
  bool readable_ = true;
  bool writable_ = true;
  bool hung_up_ = false;
  bool connecting_ = false;
  bool connected_ = true;  // the socket is; the handshake may not be
  bool aborts_ = false;
  std::unique_ptr<TlsSession> tls_;
};

// Loops of the above for tasks that have nothing else to watch than one stream and one deadline (admin, engine, load; the
// gateway's relay has its own). `deadline` may be null. They end early when the deadline expires or the stream breaks.
Task<Transfer> read_some(Stream& stream, Signal& signal, std::span<char> into, Deadline* deadline);
Task<bool> write_all(Stream& stream, Signal& signal, std::string_view bytes, Deadline* deadline);
Task<bool> wait_connected(Stream& stream, Signal& signal, Deadline* deadline);

}  // namespace turnpike::net
