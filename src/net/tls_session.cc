#include "net/tls_session.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

namespace turnpike::net {

namespace {

// The most plaintext of one record.
constexpr std::size_t kRecord = std::size_t{16} * 1024;

}  // namespace

// The socket as OpenSSL sees it. (Its own writes without MSG_NOSIGNAL, and asks the system where we know the answer.)
struct TlsSession::Bio {
  static TlsSession& owner(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }
  static int read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    const int got = owner(bio).pull(out, static_cast<std::size_t>(size));
    if (got < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    return got;
  }
  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    const int sent = owner(bio).push(bytes, static_cast<std::size_t>(size));
    if (sent < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    return sent;
  }
  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return owner(bio).ended_ ? 1 : 0;
    return 0;
  }
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
      if (m == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(m, read);
      BIO_meth_set_write(m, write);
      BIO_meth_set_ctrl(m, control);
      return m;
    }();
    return made;
  }
};

TlsSession::TlsSession(Ssl ssl) : ssl_(std::move(ssl)) {
  BIO* const bio = BIO_new(Bio::method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

int TlsSession::pull(char* out, std::size_t size) {
  if (!readable_ && !ended_) {
    errno = EAGAIN;
    return -1;
  }
  const ssize_t got = ::recv(fd_, out, size, 0);
  if (got < 0) {
    if (errno == EINTR) errno = EAGAIN;
    if (errno == EAGAIN) readable_ = false;
    return -1;
  }
  if (got == 0) ended_ = true;
  if (static_cast<std::size_t>(got) < size) readable_ = false;
  return static_cast<int>(got);
}

int TlsSession::push(const char* bytes, std::size_t size) {
  if (!writable_) {
    errno = EAGAIN;
    return -1;
  }
  const ssize_t sent = ::send(fd_, bytes, size, MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno == EINTR) errno = EAGAIN;
    if (errno == EAGAIN) writable_ = false;
    return -1;
  }
  if (static_cast<std::size_t>(sent) < size) writable_ = false;
  return static_cast<int>(sent);
}

void TlsSession::on_ready(std::uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP)) readable_ = true;
  if (events & EPOLLOUT) writable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) ended_ = true;
}

Transfer::Status TlsSession::judge(int result) {
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Transfer::Status::would_block;
    case SSL_ERROR_ZERO_RETURN:
      over_ = Transfer::Status::closed;
      return *over_;
    case SSL_ERROR_SYSCALL:
      failure_ = system_error != 0 ? std::strerror(system_error) : "the connection was cut off";
      break;
    default: {
      const long verdict = SSL_get_verify_result(ssl_.get());
      const char* const reason = ERR_reason_error_string(ERR_peek_error());
      failure_ = reason != nullptr ? reason : "TLS failed";
      if (verdict != X509_V_OK)
        failure_ += std::string(": ") + X509_verify_cert_error_string(verdict);
      break;
    }
  }
  ERR_clear_error();
  over_ = Transfer::Status::failed;
  return *over_;
}

TlsSession::Handshake TlsSession::handshake() {
  if (established_) return Handshake::done;
  if (over_) return Handshake::failed;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    established_ = true;
    return Handshake::done;
  }
  if (judge(result) == Transfer::Status::would_block) return Handshake::pending;
  over_ = Transfer::Status::failed;
  return Handshake::failed;
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

Transfer TlsSession::read(std::span<char> into) {
  drained_ = false;
  if (over_) return {*over_, 0};
  ERR_clear_error();
  std::size_t total = 0;
  while (total < into.size()) {
    std::size_t got = 0;
    errno = 0;
    const int result = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &got);
    if (result != 1) {
      const Transfer::Status status = judge(result);
      drained_ = status == Transfer::Status::would_block;
      if (total == 0) return {status, 0};
      break;
    }
    total += got;
  }
  return {Transfer::Status::ok, total};
}

Transfer TlsSession::write(std::span<const iovec> pieces) {
  if (over_ == Transfer::Status::failed) return {*over_, 0};
  ERR_clear_error();
  std::array<char, kRecord> together;
  std::size_t total = 0;
  std::size_t skip = 0;  // of the first piece
  while (!pieces.empty()) {
    std::string_view record(static_cast<const char*>(pieces.front().iov_base) + skip,
                            pieces.front().iov_len - skip);
    if (record.size() < kRecord && pieces.size() > 1) {
      std::size_t size = 0;
      std::size_t begin = skip;
      for (const iovec& piece : pieces) {
        const std::size_t part = std::min(piece.iov_len - begin, kRecord - size);
        std::memcpy(together.data() + size, static_cast<const char*>(piece.iov_base) + begin, part);
        size += part;
        begin = 0;
        if (size == kRecord) break;
      }
      record = {together.data(), size};
    }
    record = record.substr(0, kRecord);
    if (!record.empty()) {
      std::size_t sent = 0;
      errno = 0;
      const int result = SSL_write_ex(ssl_.get(), record.data(), record.size(), &sent);
      if (result != 1) {
        const Transfer::Status status = judge(result);
        return {total == 0 ? status : Transfer::Status::ok, total};
      }
      total += sent;
      skip += sent;
    }
    while (!pieces.empty() && skip >= pieces.front().iov_len) {
      skip -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
  }
  return {Transfer::Status::ok, total};
}

bool TlsSession::quiet() {
  if (over_ || ended_) return false;
  ERR_clear_error();
  char byte = 0;
  std::size_t got = 0;
  errno = 0;
  // Looks at what has arrived, so that tickets and the like are dealt with.
  const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &got);
  return result != 1 && judge(result) == Transfer::Status::would_block;
}

void TlsSession::say_end() {
  if (!established_ || over_ == Transfer::Status::failed) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace turnpike::net
