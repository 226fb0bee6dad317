#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <sys/uio.h>

#include "net/ssl.h"
#include "net/transfer.h"

namespace turnpike::net {

// TLS on one non-blocking socket, as part of a Stream: it reads and writes the descriptor itself, keeps track of whether that can take or
// give anything, and never waits. It holds no plaintext but what OpenSSL has decrypted of the record at hand, and no ciphertext
// but the one record that the socket did not take whole: what write() says was taken has left for the socket, so the pressure
// of a slow peer reaches the writer as it does without TLS. The reactor's thread only.
class TlsSession {
 public:
  explicit TlsSession(Ssl ssl);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession() = default;

  // Before anything else: the descriptor that the Stream owns.
  void attach(int fd) { fd_ = fd; }
  // What epoll said of it. Whatever had to wait may go on, in either direction: TLS may have to write in order to read.
  void on_ready(std::uint32_t events);

  enum class Handshake : std::uint8_t { pending, done, failed };
  // A step of it, as far as the socket allows.
  Handshake handshake();
  [[nodiscard]] bool established() const { return established_; }
  // Why it failed, or why the connection broke; a sentence.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // What was agreed on: "h2", "http/1.1", or empty.
  [[nodiscard]] std::string_view protocol() const;

  // Fills `into` as far as there are bytes. The end is `closed` if the peer said so, `failed` if it was cut off.
  Transfer read(std::span<char> into);
  // The last read emptied the socket: another one is of use only after the next event.
  [[nodiscard]] bool drained() const { return drained_; }
  // As many bytes as the socket takes, in records of up to 16 KiB, small pieces together. What was not taken must come
  // again, from the same byte on, and no less of it, unless nothing is ever written again.
  Transfer write(std::span<const iovec> pieces);
  // True if there is neither a byte nor the end to be read.
  bool quiet();
  // Tells the peer that nothing more will come, as far as the socket takes it. Nothing may be written then.
  void say_end();

 private:
  struct Bio;
  int pull(char* out, std::size_t size);
  int push(const char* bytes, std::size_t size);
  // What an unsuccessful call meant.
  Transfer::Status judge(int result);

  Ssl ssl_;
  int fd_ = -1;
  bool readable_ = true;  // the socket, as far as is known
  bool writable_ = true;
  bool ended_ = false;  // it will be: nothing but its end is to come
  bool drained_ = false;
  bool established_ = false;
  std::optional<Transfer::Status> over_;
  std::string failure_;
};

}  // namespace turnpike::net
