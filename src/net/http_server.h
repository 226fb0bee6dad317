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
#include "net/listener.h"
#include "net/server_connection.h"
#include "net/tls_context.h"

namespace turnpike::net {

// One request to an HttpServer and the answer to it. A handler answers exactly once: respond(), or begin_stream(), any number
// of send(), and end_stream(). A stream that is not ended, and an exchange that is not answered, break the connection, so that
// half an answer never looks whole. All of the writing calls return false once the peer is gone.
class Exchange {
 public:
  [[nodiscard]] const http::RequestHead& head() const { return head_; }
  [[nodiscard]] std::string_view path() const { return head_.path(); }
  // The value of a query parameter, percent-decoded; empty if there is none.
  [[nodiscard]] std::string query(std::string_view name) const;
  [[nodiscard]] std::string_view body() const { return body_.view(); }

  Task<bool> respond(int status, std::string_view content_type, std::string_view body,
                     std::span<const http::Field> extra = {});
  Task<bool> begin_stream(int status, std::string_view content_type,
                          std::span<const http::Field> extra = {});
  // One chunk; nothing for an empty one.
  Task<bool> send(std::string_view bytes);
  Task<bool> end_stream();

  // The peer has left. A handler that waits for something else waits on signal() and looks at this.
  [[nodiscard]] bool gone() const { return connection_.gone(); }
  [[nodiscard]] Signal& signal() { return connection_.signal(); }
  [[nodiscard]] ServerConnection& connection() { return connection_; }
  // Break the connection with a reset instead of finishing the answer.
  void abort();

 private:
  friend class HttpServer;
  explicit Exchange(ServerConnection& connection) : connection_(connection) {}

  enum class State { unanswered, streaming, answered, aborted };
  ServerConnection& connection_;
  http::RequestHead head_;
  ByteBuffer body_;
  State state_ = State::unanswered;
  bool keep_alive_ = true;
  bool chunked_ = true;
};

struct HttpServerLimits : ServerLimits {
  std::size_t connections = 10'000;
};

// A plain HTTP/1.1 server for what is not the data path of the gateway: the admin API, the simulated engine, tests. One
// handler coroutine per request, one task per connection. The reactor's thread only.
class HttpServer {
 public:
  using Handler = std::function<Task<void>(Exchange&)>;

  HttpServer(Reactor& reactor, Handler handler, const HttpServerLimits& limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  // Speaks TLS on every connection accepted from now on; the board outlives the server.
  void use_tls(const TlsBoard& board) { tls_ = &board; }
  // Port 0: the system chooses. May be called several times. Returns the address listened on.
  Expected<Address> listen(const Address& address);
  // Takes no more connections, lets running requests finish, closes idle ones; ends when all are gone.
  Task<void> drain();
  // Breaks all connections, so that a drain ends at once.
  void abort_all();

  [[nodiscard]] std::size_t connections() const { return open_.size(); }

 private:
  Task<void> accept_all(Listener& listener);
  Task<void> serve(Fd fd);
  Task<bool> serve_one(ServerConnection& connection);

  Reactor& reactor_;
  Handler handler_;
  HttpServerLimits limits_;
  const TlsBoard* tls_ = nullptr;  // null: plain
  Gate gate_;
  bool draining_ = false;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<ServerConnection*> open_;
};

}  // namespace turnpike::net
