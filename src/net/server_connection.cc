#include "net/server_connection.h"

#include <algorithm>

#include "http/write.h"

namespace turnpike::net {

namespace {

constexpr std::size_t kFirstRead = 4096;
constexpr std::size_t kBodyRead = std::size_t{64} * 1024;

constexpr Receipt invalid(int status, std::string_view why) {
  return {Receipt::Status::invalid, status, why};
}

// A read that brought nothing: would_block means that the deadline passed.
constexpr Receipt cut_short(const Transfer& transfer) {
  return {transfer.status == Transfer::Status::would_block ? Receipt::Status::timed_out
                                                           : Receipt::Status::broken};
}

}  // namespace

ServerConnection::ServerConnection(Reactor& reactor, Fd fd, const ServerLimits& limits, Ssl tls)
    : limits_(limits),
      signal_(reactor),
      deadline_(signal_),
      stream_(reactor, std::move(fd), signal_, std::move(tls)) {}

Task<bool> ServerConnection::handshake() {
  deadline_.arm(limits_.head_arrival);
  while (stream_.connecting()) {
    if (stopping_ || deadline_.expired()) co_return false;
    co_await signal_.wait();
  }
  deadline_.disarm();
  co_return stream_.error() == 0;
}

void ServerConnection::stop_when_idle() {
  stopping_ = true;
  signal_.notify();
}

Task<Transfer> ServerConnection::fill(ByteBuffer& buffer, std::size_t room) {
  const Transfer transfer = co_await read_some(stream_, signal_, buffer.prepare(room), &deadline_);
  buffer.commit(transfer.bytes);
  co_return transfer;
}

Task<Receipt> ServerConnection::read_head(http::RequestHead& head) {
  release_head();
  // Between requests: no buffer, only the socket.
  deadline_.arm(limits_.idle);
  while (input_.empty()) {
    if (stream_.maybe_readable()) {
      const Transfer transfer = stream_.read(input_.prepare(kFirstRead));
      input_.commit(transfer.bytes);
      if (transfer.status == Transfer::Status::ok) break;
      input_.release();
      if (transfer.status != Transfer::Status::would_block)
        co_return Receipt{Receipt::Status::closed};
    }
    if (stopping_ || deadline_.expired()) co_return Receipt{Receipt::Status::closed};
    co_await signal_.wait();
  }
  deadline_.arm(limits_.head_arrival);
  std::size_t scanned = 0;
  while (true) {
    const http::ParseResult parsed =
        http::parse_request_head(input_.view(), scanned, limits_.head, head);
    if (parsed.status == http::ParseStatus::complete) {
      deadline_.disarm();
      // The head keeps its memory, and with it its place; what follows it starts a buffer of its own.
      head_bytes_ = std::exchange(input_, ByteBuffer());
      input_.append(head_bytes_.view().substr(parsed.consumed));
      co_return Receipt{};
    }
    if (parsed.status == http::ParseStatus::invalid)
      co_return invalid(parsed.http_status, parsed.why);
    const Transfer transfer = co_await fill(input_, kFirstRead);
    if (transfer.status != Transfer::Status::ok) co_return cut_short(transfer);
  }
}

void ServerConnection::release_head() {
  head_bytes_.release();
}

Task<Receipt> ServerConnection::read_body(const http::RequestHead& head, ByteBuffer& body) {
  if (take_body_at_hand(head, body)) co_return Receipt{};
  if (head.framing == http::Framing::length && head.content_length > limits_.body_bytes) {
    co_return invalid(413, "the body is larger than the limit");
  }
  if (head.expect_continue && input_.empty()) {
    if (!co_await write(http::kContinue)) co_return Receipt{Receipt::Status::broken};
  }
  const Receipt receipt =
      head.framing == http::Framing::length
          ? co_await read_counted(static_cast<std::size_t>(head.content_length), body)
          : co_await read_chunked(body);
  deadline_.disarm();
  if (input_.empty()) input_.release();
  co_return receipt;
}

bool ServerConnection::take_body_at_hand(const http::RequestHead& head, ByteBuffer& body) {
  if (head.framing == http::Framing::none) return true;
  if (head.framing != http::Framing::length || head.content_length > input_.size() ||
      head.content_length > limits_.body_bytes) {
    return false;
  }
  const auto length = static_cast<std::size_t>(head.content_length);
  if (length == input_.size()) {
    body = std::exchange(input_, ByteBuffer());
  } else {
    body.append(input_.view().substr(0, length));
    input_.consume(length);
  }
  return true;
}

Task<Receipt> ServerConnection::read_counted(std::size_t length, ByteBuffer& body) {
  // Room for all of it at once, unless that is far more than the peer has shown it will send.
  body.prepare(std::min(length, input_.size() + (std::size_t{4} << 20U)));
  const std::size_t at_hand = std::min(input_.size(), length);
  body.append(input_.view().substr(0, at_hand));
  input_.consume(at_hand);
  while (body.size() < length) {
    deadline_.arm(limits_.body_pause);
    const std::size_t missing = length - body.size();
    const std::span<char> room = body.prepare(std::min(missing, kBodyRead));
    const Transfer transfer = co_await read_some(
        stream_, signal_, room.first(std::min(room.size(), missing)), &deadline_);
    body.commit(transfer.bytes);
    if (transfer.status != Transfer::Status::ok) co_return cut_short(transfer);
  }
  co_return Receipt{};
}

Task<Receipt> ServerConnection::read_chunked(ByteBuffer& body) {
  http::ChunkDecoder decoder;
  while (true) {
    while (!input_.empty() && !decoder.done()) {
      const http::ChunkDecoder::Step piece = decoder.feed(input_.view());
      if (piece.error) co_return invalid(400, "the body is not a valid chunked body");
      if (body.size() + piece.data.size() > limits_.body_bytes) {
        co_return invalid(413, "the body is larger than the limit");
      }
      body.append(piece.data);
      input_.consume(piece.consumed);
    }
    if (decoder.done()) co_return Receipt{};
    deadline_.arm(limits_.body_pause);
    const Transfer transfer = co_await fill(input_, kBodyRead);
    if (transfer.status != Transfer::Status::ok) co_return cut_short(transfer);
  }
}

Task<bool> ServerConnection::write(std::string_view bytes) {
  deadline_.arm(limits_.write_stall);
  const bool written = co_await write_all(stream_, signal_, bytes, &deadline_);
  deadline_.disarm();
  co_return written;
}

}  // namespace turnpike::net
