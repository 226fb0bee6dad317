#include "net/http_client.h"

#include <algorithm>

#include "base/ascii.h"
#include "http/chunk.h"
#include "http/write.h"

namespace turnpike::net {

namespace {

constexpr std::size_t kRead = std::size_t{16} * 1024;

}  // namespace

std::string_view ClientAnswer::field(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [&](const auto& field) { return equals_ignoring_case(field.first, name); });
  return found == fields.end() ? std::string_view() : found->second;
}

HttpClient::HttpClient(Reactor& reactor, const Address& address, std::string authority)
    : reactor_(reactor),
      address_(address),
      authority_(std::move(authority)),
      signal_(reactor),
      deadline_(signal_) {}

void HttpClient::set_address(const Address& address) {
  address_ = address;
  stream_.reset();
}

void HttpClient::use_tls(std::shared_ptr<const TlsContext> context, std::string server_name) {
  tls_ = std::move(context);
  server_name_ = std::move(server_name);
}

void HttpClient::abort() {
  aborted_ = true;
  signal_.notify();
}

Task<bool> HttpClient::connect(const ClientLimits& limits, std::string& error) {
  auto fd = Stream::start_connect(address_);
  if (!fd) {
    error = fd.error().message;
    co_return false;
  }
  stream_ = std::make_unique<Stream>(reactor_, std::move(*fd), signal_, Stream::Connecting{},
                                     tls_ ? tls_->connect(server_name_) : nullptr);
  deadline_.arm(limits.connect);
  while (stream_->connecting() && !deadline_.expired() && !aborted_) co_await signal_.wait();
  if (stream_->connecting()) {
    error = aborted_ ? "aborted" : "no connection to " + address_.to_string() + " in time";
  } else if (const std::string failure = stream_->failure(); !failure.empty()) {
    error = "cannot connect to " + address_.to_string() + ": " + failure;
  } else {
    co_return true;
  }
  stream_.reset();
  co_return false;
}

Task<Expected<ClientAnswer>> HttpClient::request(const ClientRequest& request,
                                                 const ClientLimits& limits, Sink sink,
                                                 OnHead on_head) {
  aborted_ = false;
  std::string bytes;
  bytes.reserve(256 + request.body.size());
  http::RequestHead head;
  head.method = request.method;
  head.target = request.target;
  for (const http::Field& field : request.fields) {
    head.fields.push_back({field.name, field.value, http::FieldKind::end_to_end});
  }
  http::UpstreamRequest upstream;
  upstream.host = authority_;
  upstream.framing = request.body.empty() ? http::Framing::none : http::Framing::length;
  upstream.content_length = request.body.size();
  http::write_request_head(bytes, head, upstream);
  bytes += request.body;

  ClientAnswer answer;
  std::string error;
  while (true) {
    const bool kept = stream_ != nullptr && stream_->quiet();
    if (!kept && !co_await connect(limits, error)) break;
    const Attempt attempt =
        co_await try_once(bytes, request.method == "HEAD", limits, sink, on_head, answer, error);
    if (attempt == Attempt::done) co_return std::move(answer);
    stream_.reset();
    if (attempt == Attempt::failed || !kept) break;
  }
  co_return fail(std::move(error));
}

Task<HttpClient::Attempt> HttpClient::try_once(std::string_view bytes, bool head_request,
                                               const ClientLimits& limits, const Sink& sink,
                                               const OnHead& on_head, ClientAnswer& answer,
                                               std::string& error) {
  deadline_.arm(limits.silence);
  ByteBuffer buffer;
  // One step of waiting: the reason to give up, or nothing.
  const auto give_up = [&]() -> const char* {
    if (aborted_) return "aborted";
    if (deadline_.expired()) return "no answer in time";
    return nullptr;
  };
  // Reads some bytes into the buffer. `closed` is an end that may be meant.
  bool closed = false;
  bool cut_off = false;
  const auto try_read = [&]() -> bool {
    const Transfer transfer = stream_->read(buffer.prepare(kRead));
    buffer.commit(transfer.bytes);
    if (transfer.is_over()) closed = true;
    if (transfer.status == Transfer::Status::failed) cut_off = true;
    if (transfer.bytes > 0) deadline_.arm(limits.silence);
    return transfer.bytes > 0 || closed;
  };

  std::string_view unsent = bytes;
  while (!unsent.empty() && !stream_->hung_up()) {
    if (stream_->maybe_writable()) {
      const Transfer transfer = stream_->write(unsent);
      unsent.remove_prefix(transfer.bytes);
      if (transfer.is_over()) break;
      if (transfer.status == Transfer::Status::ok) continue;
    }
    if (const char* reason = give_up()) {
      error = reason;
      co_return Attempt::failed;
    }
    co_await signal_.wait();
  }

  http::ResponseHead head;
  std::size_t scanned = 0;
  bool any_byte = false;
  while (true) {
    const http::ParseResult parsed =
        http::parse_response_head(buffer.view(), scanned, http::HeadLimits{}, head_request, head);
    if (parsed.status == http::ParseStatus::invalid) {
      error = "not an HTTP answer: " + std::string(parsed.why);
      co_return Attempt::failed;
    }
    if (parsed.status == http::ParseStatus::complete) {
      if (head.is_interim()) {
        buffer.consume(parsed.consumed);
        scanned = 0;
        continue;
      }
      answer.status = head.status;
      for (const http::Field& field : head.fields)
        answer.fields.emplace_back(field.name, field.value);
      buffer.consume(parsed.consumed);
      break;
    }
    while (!try_read()) {
      if (const char* reason = give_up()) {
        error = reason;
        co_return Attempt::failed;
      }
      co_await signal_.wait();
    }
    any_byte = any_byte || !buffer.empty();
    if (closed && buffer.empty()) {
      error = "the connection was closed before an answer";
      co_return any_byte ? Attempt::failed : Attempt::stale;
    }
    if (closed) {
      error = "the connection was closed within the head of the answer";
      co_return Attempt::failed;
    }
  }
  if (on_head) on_head(answer);

  const auto take = [&](std::string_view piece) {
    if (piece.empty()) return true;
    if (sink) return sink(piece);
    if (answer.body.size() + piece.size() > limits.body) return false;
    answer.body += piece;
    return true;
  };
  http::ChunkDecoder decoder;
  std::uint64_t left = head.framing == http::Framing::length ? head.content_length : 0;
  while (head.framing != http::Framing::none) {
    bool done = false;
    bool taken = true;
    while (!buffer.empty() && !done && taken) {
      if (head.framing == http::Framing::chunked) {
        const http::ChunkDecoder::Step step = decoder.feed(buffer.view());
        if (step.error) {
          error = "the answer is not a valid chunked body";
          co_return Attempt::failed;
        }
        taken = take(step.data);
        buffer.consume(step.consumed);
        done = step.done;
      } else {
        const std::size_t size =
            head.framing == http::Framing::length
                ? static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()))
                : buffer.size();
        taken = take(buffer.view().substr(0, size));
        buffer.consume(size);
        left -= std::min<std::uint64_t>(left, size);
        if (head.framing == http::Framing::length && left == 0) break;
      }
    }
    if (head.framing == http::Framing::length && left == 0) done = true;
    if (!taken) {
      if (!sink) error = "the answer is larger than the limit";
      stream_.reset();
      co_return sink ? Attempt::done : Attempt::failed;
    }
    if (done) break;
    if (closed) {
      if (head.framing == http::Framing::until_close && !cut_off) break;
      error = "the connection was closed within the answer";
      co_return Attempt::failed;
    }
    while (!try_read()) {
      if (const char* reason = give_up()) {
        error = reason;
        co_return Attempt::failed;
      }
      co_await signal_.wait();
    }
  }
  deadline_.disarm();
  if (!head.keep_alive || closed || !buffer.empty()) stream_.reset();
  co_return Attempt::done;
}

}  // namespace turnpike::net
