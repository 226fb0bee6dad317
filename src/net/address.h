#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>

#include "base/error.h"
#include "net/fd.h"

namespace turnpike::net {

// A numeric IPv4 or IPv6 address and port.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t length);

  // "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (which is 127.0.0.1), "*:8080", ":8080" (all interfaces).
  static Expected<Address> parse(std::string_view text);
  // Asks the system's resolver and so may block for seconds: control threads only.
  static Expected<std::vector<Address>> resolve(const std::string& host, std::uint16_t port);

  [[nodiscard]] const sockaddr* native() const {
    return reinterpret_cast<const sockaddr*>(&storage_);
  }
  [[nodiscard]] socklen_t native_size() const { return size_; }
  [[nodiscard]] int family() const { return storage_.sin6_family; }
  [[nodiscard]] std::uint16_t port() const;
  void set_port(std::uint16_t port);
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string to_string() const;

 private:
  sockaddr_in6 storage_{};  // large enough for both families
  socklen_t size_ = 0;
};

// A non-blocking listening socket. With `shared`, several may listen on one address (SO_REUSEPORT).
Expected<Fd> listen_on(const Address& address, bool shared, int backlog = 4096);
// The address a socket is bound to (after port 0).
Address local_address(int fd);

// Where an http:// or https:// URL points. Anything but scheme, host, port and path is refused.
struct HttpUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 80;  // 443 with TLS
  std::string path;         // "" or "/..." without a slash at the end

  static Expected<HttpUrl> parse(std::string_view url);
  [[nodiscard]] std::string authority() const;  // for the Host field
};

}  // namespace turnpike::net
