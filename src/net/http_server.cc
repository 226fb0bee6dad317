#include "net/http_server.h"

#include <algorithm>
#include <array>

#include <sys/socket.h>

#include "http/chunk.h"
#include "http/write.h"

namespace turnpike::net {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

}  // namespace

std::string Exchange::query(std::string_view name) const {
  std::string_view rest = head_.query();
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == name) {
      return equals == std::string_view::npos ? "" : percent_decode(pair.substr(equals + 1));
    }
  }
  return {};
}

Task<bool> Exchange::respond(int status, std::string_view content_type, std::string_view body,
                             std::span<const http::Field> extra) {
  state_ = State::answered;
  std::string out;
  out.reserve(body.size() + 256);
  http::write_answer(out, status, content_type, body, keep_alive_, extra, head_.method == "HEAD");
  co_return co_await connection_.write(out);
}

Task<bool> Exchange::begin_stream(int status, std::string_view content_type,
                                  std::span<const http::Field> extra) {
  state_ = State::streaming;
  chunked_ = head_.minor_version >= 1;
  keep_alive_ = keep_alive_ && chunked_;
  http::ResponseHead head;
  head.status = status;
  head.reason = http::reason_phrase(status);
  head.fields.push_back({"Content-Type", content_type, http::FieldKind::end_to_end});
  http::ClientResponse response;
  response.framing = chunked_ ? http::Framing::chunked : http::Framing::until_close;
  response.keep_alive = keep_alive_;
  response.minor_version = head_.minor_version;
  response.extra = extra;
  std::string out;
  http::write_response_head(out, head, response);
  co_return co_await connection_.write(out);
}

Task<bool> Exchange::send(std::string_view bytes) {
  if (bytes.empty()) co_return !gone();
  if (!chunked_) co_return co_await connection_.write(bytes);
  std::string out;
  out.reserve(bytes.size() + 16);
  http::write_chunk(out, bytes);
  co_return co_await connection_.write(out);
}

Task<bool> Exchange::end_stream() {
  state_ = State::answered;
  if (!chunked_) co_return true;
  co_return co_await connection_.write(http::kLastChunk);
}

void Exchange::abort() {
  state_ = State::aborted;
  connection_.stream().reset_on_close();
}

HttpServer::HttpServer(Reactor& reactor, Handler handler, const HttpServerLimits& limits)
    : reactor_(reactor), handler_(std::move(handler)), limits_(limits), gate_(reactor) {}

HttpServer::~HttpServer() = default;

Expected<Address> HttpServer::listen(const Address& address) {
  auto fd = listen_on(address, /*shared=*/false);
  if (!fd) return std::unexpected(fd.error());
  const Address bound = local_address(fd->get());
  listeners_.push_back(std::make_unique<Listener>(reactor_, std::move(*fd)));
  reactor_.spawn(gate_, accept_all(*listeners_.back()));
  return bound;
}

Task<void> HttpServer::accept_all(Listener& listener) {
  while (Fd fd = co_await listener.accept()) {
    if (open_.size() >= limits_.connections) continue;  // closes it
    reactor_.spawn(gate_, serve(std::move(fd)));
  }
}

Task<void> HttpServer::serve(Fd fd) {
  ServerConnection connection(reactor_, std::move(fd), limits_,
                              tls_ != nullptr ? tls_->current()->accept() : nullptr);
  open_.push_back(&connection);
  if (draining_) connection.stop_when_idle();
  try {
    const bool open = tls_ == nullptr || co_await connection.handshake();
    while (open && co_await serve_one(connection)) {
    }
  } catch (...) {
    std::erase(open_, &connection);
    throw;
  }
  std::erase(open_, &connection);
}

Task<bool> HttpServer::serve_one(ServerConnection& connection) {
  Exchange exchange(connection);
  Receipt receipt = co_await connection.read_head(exchange.head_);
  if (receipt.status == Receipt::Status::complete) {
    receipt = co_await connection.read_body(exchange.head_, exchange.body_);
  }
  if (receipt.status != Receipt::Status::complete) {
    if (receipt.status == Receipt::Status::invalid ||
        receipt.status == Receipt::Status::timed_out) {
      exchange.keep_alive_ = false;
      const int status = receipt.status == Receipt::Status::invalid ? receipt.http_status : 408;
      co_await exchange.respond(status, "text/plain", std::string(receipt.why) + "\n");
    }
    co_return false;
  }
  exchange.keep_alive_ = exchange.head_.keep_alive && !draining_;
  co_await handler_(exchange);
  if (exchange.state_ != Exchange::State::answered) {
    connection.stream().reset_on_close();
    co_return false;
  }
  co_return exchange.keep_alive_ && !connection.gone();
}

Task<void> HttpServer::drain() {
  draining_ = true;
  for (const auto& listener : listeners_) listener->close();
  for (ServerConnection* connection : open_) connection->stop_when_idle();
  co_await gate_.drained();
}

void HttpServer::abort_all() {
  for (ServerConnection* connection : open_) {
    connection->stop_when_idle();
    ::shutdown(connection->stream().fd(), SHUT_RDWR);
  }
}

}  // namespace turnpike::net
