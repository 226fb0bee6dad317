#include "net/address.h"

#include <cassert>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/ascii.h"

namespace turnpike::net {

namespace {

Error system_error(const std::string& what) {
  return Error{what + ": " + std::strerror(errno)};
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

// Splits "host:port", "[v6]:port", "host"; the port is empty where there is none.
Expected<HostPort> split_host_port(std::string_view text) {
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail("missing ']' in '" + std::string(text) + "'");
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest[0] != ':')
      return fail("expected ':' after ']' in '" + std::string(text) + "'");
    return HostPort{text.substr(1, close - 1), rest.empty() ? rest : rest.substr(1)};
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return HostPort{text, {}};
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

}  // namespace

Address::Address(const sockaddr* address, socklen_t length) : size_(length) {
  assert(length <= sizeof storage_);
  std::memcpy(&storage_, address, length);
}

Expected<Address> Address::parse(std::string_view text) {
  const auto split = split_host_port(text);
  if (!split) return std::unexpected(split.error());
  const auto port = parse_unsigned<std::uint16_t>(split->port);
  if (!port)
    return fail("'" + std::string(text) +
                "' has no port between 0 and 65535 (expected ADDRESS:PORT)");
  std::string host(split->host);
  if (host == "localhost") host = "127.0.0.1";
  if (host.empty() || host == "*") host = "0.0.0.0";
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(*port);
    return Address(reinterpret_cast<const sockaddr*>(&v4), sizeof v4);
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(*port);
    return Address(reinterpret_cast<const sockaddr*>(&v6), sizeof v6);
  }
  return fail("'" + std::string(split->host) + "' is not an IP address");
}

Expected<std::vector<Address>> Address::resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_family = AF_UNSPEC;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (status != 0) return fail("cannot resolve '" + host + "': " + ::gai_strerror(status));
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    Address address(at->ai_addr, at->ai_addrlen);
    address.set_port(port);
    // IPv4 first: "localhost" answers with ::1 first, where engines rarely listen.
    if (address.family() == AF_INET) {
      addresses.insert(addresses.begin(), address);
    } else {
      addresses.push_back(address);
    }
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return fail("'" + host + "' has no address");
  return addresses;
}

std::uint16_t Address::port() const {
  return ntohs(family() == AF_INET ? reinterpret_cast<const sockaddr_in&>(storage_).sin_port
                                   : storage_.sin6_port);
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET) {
    reinterpret_cast<sockaddr_in&>(storage_).sin_port = htons(port);
  } else {
    storage_.sin6_port = htons(port);
  }
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (family() == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage_).sin_addr, text,
                sizeof text);
  } else {
    ::inet_ntop(AF_INET6, &storage_.sin6_addr, text, sizeof text);
  }
  return text;
}

std::string Address::to_string() const {
  const std::string port_text = std::to_string(port());
  return family() == AF_INET ? host() + ":" + port_text : "[" + host() + "]:" + port_text;
}

Expected<Fd> listen_on(const Address& address, bool shared, int backlog) {
  Fd fd(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return std::unexpected(system_error("cannot open a socket"));
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (::bind(fd.get(), address.native(), address.native_size()) != 0 ||
      ::listen(fd.get(), backlog) != 0) {
    return std::unexpected(system_error("cannot listen on " + address.to_string()));
  }
  return fd;
}

Address local_address(int fd) {
  sockaddr_in6 storage{};
  socklen_t size = sizeof storage;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size);
  return {reinterpret_cast<const sockaddr*>(&storage), size};
}

Expected<HttpUrl> HttpUrl::parse(std::string_view url) {
  const std::string quoted = "'" + std::string(url) + "'";
  const bool tls = url.starts_with("https://");
  const std::string_view scheme = tls ? "https://" : "http://";
  if (!url.starts_with(scheme)) return fail(quoted + " is neither an http:// nor an https:// URL");
  std::string_view rest = url.substr(scheme.size());
  const auto slash = rest.find_first_of("/?#");
  std::string_view path;
  if (slash != std::string_view::npos) {
    path = rest.substr(slash);
    rest = rest.substr(0, slash);
  }
  if (path.find_first_of("?#") != std::string_view::npos)
    return fail(quoted + " must have neither query nor fragment");
  if (rest.find('@') != std::string_view::npos)
    return fail(quoted + " must not carry a user or password");
  for (const char c : url) {
    if (c <= ' ' || c == '\x7f') return fail(quoted + " contains a blank or control character");
  }
  const auto split = split_host_port(rest);
  if (!split) return std::unexpected(split.error());
  if (split->host.empty()) return fail(quoted + " names no host");
  HttpUrl parsed;
  parsed.tls = tls;
  parsed.port = tls ? 443 : 80;
  parsed.host = split->host;
  if (rest.ends_with(':') || !split->port.empty()) {
    const auto port = parse_unsigned<std::uint16_t>(split->port);
    if (!port || *port == 0) return fail(quoted + " has no port between 1 and 65535");
    parsed.port = *port;
  }
  while (path.ends_with('/')) path.remove_suffix(1);
  parsed.path = path;
  return parsed;
}

std::string HttpUrl::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == (tls ? 443 : 80) ? name : name + ":" + std::to_string(port);
}

}  // namespace turnpike::net
