// The parts of RequestLife::forward(): a connection to the endpoint, the request on it, and the head of the answer.

#include <string>
#include <utility>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "gateway/answer_relay.h"
#include "gateway/request_life.h"
#include "gateway/worker.h"
#include "gateway/worker_metrics.h"
#include "http/write.h"

namespace turnpike::gateway {

namespace {

// What is kept of an answer that may yet be replaced by another endpoint's.
constexpr std::size_t kHeldAnswer = std::size_t{64} * 1024;

}  // namespace

void RequestLife::build_upstream_request() {
  absl::InlinedVector<http::Field, 4> extra = {
      {"x-request-id", request_id_, http::FieldKind::end_to_end}};
  // What is to be read and edited must not come compressed.
  if (hide_usage_ || target_ != facts_.model)
    extra.push_back({"Accept-Encoding", "identity", http::FieldKind::end_to_end});
  std::string bearer;
  if (!endpoint_->api_key.empty()) {
    bearer = "Bearer " + endpoint_->api_key;
    extra.push_back({"Authorization", bearer, http::FieldKind::authorization});
  }
  const std::string target =
      endpoint_->path.empty() ? std::string() : endpoint_->path + std::string(head_.target);
  http::UpstreamRequest upstream;
  upstream.host = endpoint_->authority;
  upstream.target = target;
  const bool bare = head_.framing == http::Framing::none && head_.method != "POST";
  upstream.framing = bare ? http::Framing::none : http::Framing::length;
  upstream.content_length = upstream_body_->size();
  // Keys and tokens that were meant for the gateway go no further.
  upstream.drop_authorization = !bearer.empty() || caller_.by_credentials;
  upstream.extra = extra;
  upstream_head_.clear();
  upstream_head_.reserve(1024);
  http::write_request_head(upstream_head_, head_, upstream);
}

net::Task<RequestLife::Reach> RequestLife::connect() {
  auto fd = net::Stream::start_connect(endpoint_->address);
  if (!fd) co_return Reach::refused;
  upstream_ = std::make_unique<net::Stream>(
      worker_.reactor(), std::move(*fd), signal_, net::Stream::Connecting{},
      endpoint_->tls ? endpoint_->tls->connect(endpoint_->server_name) : nullptr);
  deadline_.arm(real(worker_.settings().connect));
  while (upstream_->connecting()) {
    if (left()) co_return Reach::client_left;
    if (deadline_.expired()) co_return Reach::refused;
    co_await signal_.wait();
  }
  deadline_.disarm();
  co_return upstream_->error() == 0 ? Reach::connected : Reach::refused;
}

net::Task<RequestLife::Reply> RequestLife::exchange(bool reused) {
  absl::InlinedVector<iovec, 12> unsent = {net::as_iovec(upstream_head_)};
  for (const std::string_view part : upstream_body_->pieces())
    unsent.push_back(net::as_iovec(part));
  std::span<iovec> pieces(unsent.data(), unsent.size());
  bool writing = true;
  std::size_t scanned = 0;
  head_bytes_.clear();
  deadline_.arm(real(worker_.settings().first_byte));
  while (true) {
    if (left()) co_return Reply::client_left;
    if (writing && upstream_->maybe_writable()) {
      const net::Transfer transfer = upstream_->write(pieces);
      if (transfer.is_over()) writing = false;  // it may have answered before it hung up
      std::size_t taken = transfer.bytes;
      while (!pieces.empty() && taken >= pieces.front().iov_len) {
        taken -= pieces.front().iov_len;
        pieces = pieces.subspan(1);
      }
      if (taken > 0) {
        pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + taken;
        pieces.front().iov_len -= taken;
      }
      if (pieces.empty()) writing = false;
      request_sent_ = pieces.empty();
    }
    if (upstream_->maybe_readable()) {
      const std::span<char> room = worker_.scratch();
      const net::Transfer transfer = upstream_->read(room);
      if (transfer.bytes > 0) {
        std::string_view bytes(room.data(), transfer.bytes);
        if (!head_bytes_.empty()) {
          head_bytes_.append(bytes);
          bytes = head_bytes_.view();
        }
        http::ParseResult parsed = http::parse_response_head(
            bytes, scanned, worker_.settings().upstream_head_limits, false, answer_);
        while (parsed.status == http::ParseStatus::complete && answer_.is_interim()) {
          bytes.remove_prefix(parsed.consumed);
          if (!head_bytes_.empty()) head_bytes_.consume(parsed.consumed);
          scanned = 0;
          parsed = http::parse_response_head(
              bytes, scanned, worker_.settings().upstream_head_limits, false, answer_);
        }
        if (parsed.status == http::ParseStatus::invalid) co_return Reply::invalid;
        // Nobody asked for another protocol: Upgrade is not passed on.
        if (parsed.status == http::ParseStatus::complete && answer_.status == 101)
          co_return Reply::invalid;
        if (parsed.status == http::ParseStatus::complete) {
          early_body_ = bytes.substr(parsed.consumed);
          deadline_.disarm();
          co_return Reply::head;
        }
        if (head_bytes_.empty()) head_bytes_.append(bytes);
        continue;
      }
      if (transfer.is_over()) co_return reused&& head_bytes_.empty() ? Reply::stale : Reply::died;
    }
    if (deadline_.expired()) co_return Reply::timed_out;
    if (writing && upstream_->maybe_writable()) continue;
    co_await signal_.wait();
  }
}

// Reads the whole answer of an endpoint that cannot serve, so that it can be passed on if nobody else can either.
net::Task<RequestLife::Step> RequestLife::hold_answer(core::FailureKind kind) {
  AnswerRelay relay({.from = answer_.framing,
                     .content_length = answer_.content_length,
                     .to = http::Framing::until_close});
  std::string body;
  std::vector<iovec> out;
  const auto collect = [&](AnswerRelay::State state) {
    for (const iovec& bytes : out)
      body.append(static_cast<const char*>(bytes.iov_base), bytes.iov_len);
    out.clear();
    return state;
  };
  // The head's views point into the scratch, which the next wait gives away.
  const int status = answer_.status;
  std::vector<std::pair<std::string, std::string>> fields;
  for (const http::Field& field : answer_.fields) fields.emplace_back(field.name, field.value);
  const bool reusable = answer_.keep_alive;

  AnswerRelay::State state = collect(relay.feed(early_body_, out));
  deadline_.arm(real(worker_.settings().stream_idle));
  while (state == AnswerRelay::State::more && body.size() < kHeldAnswer) {
    if (left()) co_return client_left();
    if (upstream_->maybe_readable()) {
      const net::Transfer transfer = upstream_->read(worker_.scratch());
      if (transfer.bytes > 0) {
        state = collect(relay.feed({worker_.scratch().data(), transfer.bytes}, out));
        continue;
      }
      if (transfer.is_over()) {
        if (transfer.status == net::Transfer::Status::closed)
          state = collect(relay.end_of_input(out));
        break;
      }
    }
    if (deadline_.expired()) break;
    co_await signal_.wait();
  }
  deadline_.disarm();
  if (state == AnswerRelay::State::done) {
    http::ResponseHead head;
    head.status = status;
    head.reason = http::reason_phrase(status);
    for (const auto& [name, value] : fields)
      head.fields.push_back({name, value, http::classify_field(name)});
    head.content_length = body.size();
    answer_ = std::move(head);
    write_response_head(http::Framing::length);
    answer_ = {};
    held_answer_ = std::move(response_head_) + body;
    held_status_ = status;
    if (reusable && request_sent_ && !relay.has_excess()) {
      worker_.upstreams().park(dispatch_.endpoint.value(), std::move(upstream_));
    }
  }
  co_return give_up(kind);
}

RequestLife::Step RequestLife::give_up(core::FailureKind kind) {
  upstream_.reset();
  deadline_.disarm();
  worker_.metrics().attempt_failed(kind);
  last_failure_ = kind;
  if (!ticket_) {  // a question to the one endpoint that can answer it
    if (held_answer_.empty())
      return kind == core::FailureKind::refused ? holder_is_gone()
                                                : refuse(openai::Trouble::unreachable);
    own_answer_ = std::move(held_answer_);
    record_.status = held_status_;
    return Step::finished;
  }
  ticket_.failed(kind);
  return Step::try_again;
}

}  // namespace turnpike::gateway
