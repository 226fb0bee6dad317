#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/board.h"
#include "base/error.h"
#include "net/ssl.h"

namespace turnpike::net {

// Whether clients must show a certificate: `optional` asks for one and refuses only a wrong one.
enum class ClientCertificates : std::uint8_t { none, optional, required };

// What a listener speaks TLS with. All paths are of PEM files.
struct TlsServerSettings {
  std::string certificate;  // the chain, the server's own first
  std::string key;
  std::string client_ca;  // who may have signed the certificates of clients
  ClientCertificates client_certificates = ClientCertificates::none;
  bool http2 = false;  // offer it (ALPN)
};

// How servers are spoken to.
struct TlsClientSettings {
  std::string ca;           // who may have signed theirs; empty: whom the system trusts
  std::string certificate;  // shown to servers that ask; empty: none
  std::string key;          // of that certificate
  bool verify = true;       // false: any certificate will do, so anybody may stand in between

  friend bool operator==(const TlsClientSettings&, const TlsClientSettings&) = default;
};

// Certificates, keys and rules, read once and immutable: to change them, make another. Sessions keep what they need of it, so it may
// go before them. Any thread.
class TlsContext {
 public:
  // TLS 1.2 and 1.3, forward secrecy only, resumption by tickets whose keys live as long as this. Errors name the file.
  static Expected<TlsContext> for_server(const TlsServerSettings& settings);
  static Expected<TlsContext> for_client(const TlsClientSettings& settings);

  // One connection's state. A client names the server that it wants, by name or address, and accepts no other's certificate.
  [[nodiscard]] Ssl accept() const;
  [[nodiscard]] Ssl connect(const std::string& server_name) const;

  // When the server's certificate ends.
  [[nodiscard]] std::chrono::system_clock::time_point expires() const { return expires_; }

 private:
  using Handle = std::unique_ptr<ssl_ctx_st, SslDelete>;
  explicit TlsContext(Handle handle) : handle_(std::move(handle)) {}

  Handle handle_;
  bool verify_ = false;
  std::chrono::system_clock::time_point expires_{};
};

// The context that new connections get. Any thread publishes, any reads; running connections keep what they began with.
using TlsBoard = Board<TlsContext>;

}  // namespace turnpike::net
