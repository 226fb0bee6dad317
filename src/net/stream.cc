#include "net/stream.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "net/tls_session.h"

namespace turnpike::net {

namespace {

// No merging of small writes by timer: a token must leave when it is written.
void set_no_delay(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::unique_ptr<TlsSession> session_of(Ssl ssl) {
  return ssl ? std::make_unique<TlsSession>(std::move(ssl)) : nullptr;
}

}  // namespace

Transfer transfer_of_errno(int error) {
  if (error == EAGAIN || error == EWOULDBLOCK || error == EINTR)
    return {Transfer::Status::would_block, 0};
  // A reset is no end: what came before it may be a part.
  return {Transfer::Status::failed, 0};
}

Stream::Stream(Reactor& reactor, Fd fd, Signal& signal, Ssl tls)
    : reactor_(reactor),
      fd_(std::move(fd)),
      signal_(&signal),
      connecting_(tls != nullptr),
      tls_(session_of(std::move(tls))) {
  set_no_delay(fd_.get());
  if (tls_) tls_->attach(fd_.get());
  reactor_.watch(fd_.get(), *this);
}

Stream::Stream(Reactor& reactor, Fd fd, Signal& signal, Connecting, Ssl tls)
    : reactor_(reactor),
      fd_(std::move(fd)),
      signal_(&signal),
      readable_(false),
      writable_(false),
      connecting_(true),
      connected_(false),
      tls_(session_of(std::move(tls))) {
  if (tls_) tls_->attach(fd_.get());
  reactor_.watch(fd_.get(), *this);
}

Stream::~Stream() {
  if (tls_ && !aborts_) tls_->say_end();
  // Closing the only descriptor of a socket takes it out of the epoll set; the events of this turn have all been handed out.
}

Expected<Fd> Stream::start_connect(const Address& address) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(std::string("cannot open a socket: ") + std::strerror(errno));
  set_no_delay(fd.get());
  if (::connect(fd.get(), address.native(), address.native_size()) != 0 && errno != EINPROGRESS) {
    return fail("cannot connect to " + address.to_string() + ": " + std::strerror(errno));
  }
  return fd;
}

void Stream::on_ready(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP)) readable_ = true;
  if (events & EPOLLOUT) writable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) hung_up_ = true;
  if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) connected_ = true;
  if (tls_) {
    tls_->on_ready(events);
    readable_ = writable_ = true;  // either may have waited for the other
    if (events & (EPOLLHUP | EPOLLERR)) connecting_ = false;
  } else if (connected_) {
    connecting_ = false;
  }
  signal_->notify();
}

bool Stream::still_connecting() {
  if (!tls_ || !connected_) return true;
  const TlsSession::Handshake state = tls_->handshake();
  if (state == TlsSession::Handshake::failed) hung_up_ = true;
  connecting_ = state == TlsSession::Handshake::pending;
  return connecting_;
}

int Stream::error() const {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0 && tls_ && !tls_->established()) return EPROTO;
  return error;
}

std::string Stream::failure() const {
  const int code = error();
  if (code == 0) return {};
  if (code == EPROTO && tls_ && !tls_->failure().empty()) return tls_->failure();
  return std::strerror(code);
}

std::string_view Stream::protocol() const {
  return tls_ ? tls_->protocol() : std::string_view();
}

Transfer Stream::read(std::span<char> into) {
  if (tls_) [[unlikely]]
    return read_tls(into);
  const ssize_t got = ::recv(fd_.get(), into.data(), into.size(), 0);
  if (got > 0) {
    // Less than there was room for: the socket is empty, and the next arrival is a new event. Unless the peer has hung up:
    // then the end of the stream is still to be read.
    if (static_cast<std::size_t>(got) < into.size() && !hung_up_) readable_ = false;
    return {Transfer::Status::ok, static_cast<std::size_t>(got)};
  }
  if (got == 0) {
    hung_up_ = true;
    return {Transfer::Status::closed, 0};
  }
  const Transfer result = transfer_of_errno(errno);
  if (result.status == Transfer::Status::would_block) {
    readable_ = false;
  } else {
    hung_up_ = true;
  }
  return result;
}

Transfer Stream::write(std::span<const iovec> pieces) {
  if (pieces.size() == 1)
    return write(std::string_view(static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len));
  if (tls_) [[unlikely]]
    return write_tls(pieces);
  std::size_t wanted = 0;
  for (const iovec& piece : pieces) wanted += piece.iov_len;
  // A few small pieces are cheaper to copy together than to hand to the system one by one.
  std::array<char, 2048> together;
  if (wanted <= together.size()) {
    char* end = together.data();
    for (const iovec& piece : pieces)
      end = std::copy_n(static_cast<const char*>(piece.iov_base), piece.iov_len, end);
    return write(std::string_view(together.data(), wanted));
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return sent(::sendmsg(fd_.get(), &message, MSG_NOSIGNAL), wanted);
}

Transfer Stream::write(std::string_view bytes) {
  if (tls_) [[unlikely]] {
    const iovec piece = as_iovec(bytes);
    return write_tls({&piece, 1});
  }
  return sent(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), bytes.size());
}

Transfer Stream::sent(ssize_t result, std::size_t wanted) {
  if (result >= 0) {
    if (static_cast<std::size_t>(result) < wanted) writable_ = false;
    return {Transfer::Status::ok, static_cast<std::size_t>(result)};
  }
  const Transfer transfer = transfer_of_errno(errno);
  if (transfer.status == Transfer::Status::would_block) writable_ = false;
  return transfer;
}

Transfer Stream::read_tls(std::span<char> into) {
  const Transfer transfer = tls_->read(into);
  if (transfer.is_over()) hung_up_ = true;
  if (tls_->drained()) readable_ = false;
  return transfer;
}

Transfer Stream::write_tls(std::span<const iovec> pieces) {
  const Transfer transfer = tls_->write(pieces);
  std::size_t wanted = 0;
  for (const iovec& piece : pieces) wanted += piece.iov_len;
  if (transfer.bytes < wanted && !transfer.is_over()) writable_ = false;
  return transfer;
}

bool Stream::quiet() {
  if (hung_up_) return false;
  if (!readable_) return true;
  if (tls_) {
    readable_ = !tls_->quiet();
    return !readable_;
  }
  char byte = 0;
  if (::recv(fd_.get(), &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN) return false;
  readable_ = false;
  return true;
}

void Stream::reset_on_close() {
  aborts_ = true;
  const linger abort{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
}

Task<Transfer> read_some(Stream& stream, Signal& signal, std::span<char> into, Deadline* deadline) {
  while (true) {
    if (stream.maybe_readable()) {
      const Transfer transfer = stream.read(into);
      if (transfer.status != Transfer::Status::would_block) co_return transfer;
    }
    if (deadline != nullptr && deadline->expired())
      co_return Transfer{Transfer::Status::would_block, 0};
    co_await signal.wait();
  }
}

Task<bool> write_all(Stream& stream, Signal& signal, std::string_view bytes, Deadline* deadline) {
  while (!bytes.empty()) {
    if (stream.maybe_writable()) {
      const Transfer transfer = stream.write(bytes);
      bytes.remove_prefix(transfer.bytes);
      if (transfer.is_over()) co_return false;
      if (transfer.status == Transfer::Status::ok) continue;
    }
    if (deadline != nullptr && deadline->expired()) co_return false;
    co_await signal.wait();
  }
  co_return true;
}

Task<bool> wait_connected(Stream& stream, Signal& signal, Deadline* deadline) {
  while (stream.connecting()) {
    if (deadline != nullptr && deadline->expired()) co_return false;
    co_await signal.wait();
  }
  co_return stream.error() == 0;
}

}  // namespace turnpike::net
