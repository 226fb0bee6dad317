#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/byte_buffer.h"
#include "base/error.h"
#include "http/head.h"
#include "net/address.h"
#include "net/stream.h"
#include "net/tls_context.h"

namespace turnpike::net {

struct ClientRequest {
  std::string_view method = "GET";
  std::string_view target = "/";
  std::vector<http::Field> fields = {};  // Host, framing and Connection are added
  std::string_view body = {};
};

struct ClientAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;

  // Case-insensitive; empty if there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
};

struct ClientLimits {
  Duration connect = std::chrono::seconds(1);
  Duration silence =
      std::chrono::seconds(10);  // longest wait for the head, and between two pieces of the body
  std::size_t body = std::size_t{16} << 20U;  // collected bytes, where there is no sink
};

// One HTTP/1.1 client connection that is opened when needed and kept while it can be. One request at a time. For scrapes,
// health checks, load and tests; the relay has its own. The reactor's thread only.
class HttpClient {
 public:
  HttpClient(Reactor& reactor, const Address& address, std::string authority);
  // Speaks TLS on connections opened from now on, to the server of that name (or address); null: not.
  void use_tls(std::shared_ptr<const TlsContext> context, std::string server_name);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Takes body bytes as they arrive; false: enough, the connection is closed.
  using Sink = std::function<bool(std::string_view)>;
  // Called once, with the answer's head.
  using OnHead = std::function<void(const ClientAnswer&)>;

  // The whole answer; with a sink, the body is handed to it instead. Errors are sentences. A kept connection that turns out
  // to be closed before a byte of the answer is replaced by a new one, once.
  Task<Expected<ClientAnswer>> request(const ClientRequest& request, const ClientLimits& limits,
                                       Sink sink = {}, OnHead on_head = {});
  void set_address(const Address& address);
  // Ends a running request at once, and the connection with it.
  void abort();
  [[nodiscard]] Signal& signal() { return signal_; }

 private:
  enum class Attempt : std::uint8_t { done, stale, failed };
  Task<Attempt> try_once(std::string_view bytes, bool head_request, const ClientLimits& limits,
                         const Sink& sink, const OnHead& on_head, ClientAnswer& answer,
                         std::string& error);
  Task<bool> connect(const ClientLimits& limits, std::string& error);

  Reactor& reactor_;
  Address address_;
  std::string authority_;
  Signal signal_;
  Deadline deadline_;
  std::shared_ptr<const TlsContext> tls_;  // null: plain
  std::string server_name_;
  std::unique_ptr<Stream> stream_;
  bool aborted_ = false;
};

}  // namespace turnpike::net
