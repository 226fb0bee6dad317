#include "gateway/request_life.h"

#include <algorithm>
#include <cmath>

#include <absl/container/inlined_vector.h>
#include <fmt/format.h>

#include "gateway/answer_relay.h"
#include "gateway/worker.h"
#include "gateway/worker_metrics.h"
#include "http/chunk.h"
#include "http/write.h"

namespace turnpike::gateway {

namespace {

// So many reads in a row from one endpoint before others get their turn.
constexpr int kReadsPerTurn = 16;
// What is kept of an answer that may yet be replaced by another endpoint's.
constexpr std::size_t kHeldAnswer = std::size_t{64} * 1024;

constexpr std::size_t kLoggedPath = 256;
constexpr int kClientLeft = 499;

bool is_over(const net::Transfer& transfer) {
  return transfer.status == net::Transfer::Status::closed ||
         transfer.status == net::Transfer::Status::failed;
}

iovec piece(std::string_view bytes) {
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

}  // namespace

RequestLife::RequestLife(Worker& worker, net::ServerConnection& client)
    : worker_(worker), client_(client), signal_(client.signal()), deadline_(signal_) {}

RequestLife::~RequestLife() {
  if (!id_.is_none()) worker_.dismiss(id_);
}

net::Task<bool> RequestLife::run() {
  Step step = co_await receive();
  if (step == Step::next) step = answer_locally();
  if (step == Step::next) step = understand();
  if (step == Step::next) submit();
  while (step == Step::next || step == Step::try_again) {
    // Where there is room the decision has come within submit().
    step = decision_ ? decided() : co_await wait();
    if (step == Step::next)
      step = dispatch(std::get<core::Dispatch>(*std::exchange(decision_, {})));
    if (step == Step::next) step = co_await forward();
    if (step == Step::next) step = co_await relay();
  }
  co_return co_await settle();
}

// ---------------------------------------------------------------------------------------------------------------------

net::Task<RequestLife::Step> RequestLife::receive() {
  net::Receipt receipt = co_await client_.read_head(head_);
  using Status = net::Receipt::Status;
  if (receipt.status == Status::closed || receipt.status == Status::broken)
    co_return Step::finished;
  received_ = now();
  keep_client_ = head_.keep_alive;
  if (receipt.status == Status::complete && worker_.shared().access_log != nullptr) {
    method_ = head_.method;
    path_ = head_.path().substr(0, kLoggedPath);
  }
  if (receipt.status == Status::complete) {
    const http::Field* const given = head_.find("x-request-id");
    request_id_ = given != nullptr && !given->value.empty() && given->value.size() <= 128
                      ? std::string(given->value)
                      : worker_.make_request_id();
    if (client_.take_body_at_hand(head_, body_)) co_return Step::next;
    receipt = co_await client_.read_body(head_, body_);
  } else {
    request_id_ = worker_.make_request_id();
  }
  if (receipt.status == Status::complete) co_return Step::next;

  keep_client_ = false;
  if (receipt.status == Status::broken || receipt.status == Status::closed) co_return client_left();
  if (receipt.status == Status::timed_out) co_return refuse(openai::Trouble::request_timeout);
  co_return refuse(openai::trouble_of_head(receipt.http_status), receipt.why);
}

RequestLife::Step RequestLife::answer_locally() {
  const std::string_view path = head_.path();
  route_ = openai::find_route(head_.method, path);
  switch (route_) {
    case openai::Route::models:
    case openai::Route::model: {
      const std::string_view wanted = route_ == openai::Route::model
                                          ? path.substr(std::string_view("/v1/models/").size())
                                          : std::string_view();
      const Directory& directory = worker_.directory();
      const std::optional<std::string> body = models_body(directory, wanted);
      if (!body && !directory.models_known) return refuse(openai::Trouble::models_unknown);
      if (!body) return refuse(openai::Trouble::unknown_model, unknown_model(wanted));
      const http::Field id{"x-request-id", request_id_, http::FieldKind::end_to_end};
      http::write_answer(own_answer_, 200, "application/json", *body, keep_client_,
                         std::span(&id, 1), head_.method == "HEAD");
      record_.status = 200;
      return Step::finished;
    }
    case openai::Route::unknown:
      return refuse(openai::Trouble::not_found, fmt::format("There is no {} here.", path));
    case openai::Route::wrong_method:
      return refuse(openai::Trouble::method_not_allowed,
                    fmt::format("{} does not allow {}.", path, head_.method));
    case openai::Route::unsupported:
      return refuse(openai::Trouble::not_implemented);
    default:
      return Step::next;
  }
}

std::string RequestLife::unknown_model(std::string_view name) {
  return fmt::format("The model '{}' does not exist. Known models: {}.", name,
                     fmt::join(worker_.directory().served, ", "));
}

RequestLife::Step RequestLife::understand() {
  auto facts = worker_.scanner().scan(route_, body_.view());
  if (!facts) return refuse(openai::Trouble::bad_body, facts.error().message, facts.error().param);
  facts_ = std::move(*facts);

  const Directory& directory = worker_.directory();
  const auto model = directory.models.find(facts_.model);
  if (model == directory.models.end()) {
    if (!directory.models_known) {
      return refuse(openai::Trouble::models_unknown, {}, {}, worker_.settings().models_interval);
    }
    return refuse(openai::Trouble::unknown_model, unknown_model(facts_.model), "model");
  }
  model_ = model->second;

  const Settings& settings = worker_.settings();
  tenant_ = openai::find_tenant(head_, facts_, settings.hash_seed);
  if (const auto session = openai::find_session(head_, facts_, settings.sessions)) {
    session_ = openai::session_key(*session, tenant_.key, facts_.model, settings.hash_seed);
  }
  upstream_body_.emplace(body_.view());
  if (facts_.ask_for_usage) {
    hide_usage_ = true;
    upstream_body_->add(*std::move(facts_.ask_for_usage));
  }
  return Step::next;
}

void RequestLife::submit() {
  id_ = worker_.admit(*this);
  core::Submission submission;
  submission.id = id_;
  submission.model = model_;
  submission.session = session_;
  submission.tenant = tenant_.key;
  submission.tenant_is_anonymous = tenant_.anonymous;
  submission.prompt_tokens = facts_.prompt.estimate();
  submission.body_bytes = ByteCount(static_cast<std::int64_t>(body_.size()));
  submission.prompt_hash = facts_.prompt_hash;
  submission.streaming = facts_.stream;
  submission.blocks = std::move(facts_.blocks);
  ticket_ = Ticket(worker_.shared().owner, std::move(submission));
}

net::Task<RequestLife::Step> RequestLife::wait() {
  while (!decision_) {
    if (left()) {
      ticket_.abandon();
      co_return client_left();
    }
    co_await signal_.wait();
  }
  co_return decided();
}

RequestLife::Step RequestLife::decided() {
  if (const auto* rejection = std::get_if<core::Rejection>(&*decision_)) {
    ticket_.rejected();
    return refuse(*rejection);
  }
  return Step::next;
}

RequestLife::Step RequestLife::dispatch(const core::Dispatch& dispatch) {
  // A client that left while the decision was on its way costs the endpoint nothing.
  if (left()) return client_left();
  dispatch_ = dispatch;
  record_.dispatched = now();
  held_answer_.clear();
  endpoint_ = worker_.directory().endpoint(dispatch.endpoint);
  if (!endpoint_) return give_up(core::FailureKind::refused);
  build_upstream_request();
  return Step::next;
}

void RequestLife::build_upstream_request() {
  absl::InlinedVector<http::Field, 4> extra = {
      {"x-request-id", request_id_, http::FieldKind::end_to_end}};
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
  upstream.framing = http::Framing::length;
  upstream.content_length = upstream_body_->size();
  upstream.drop_authorization = !bearer.empty();
  upstream.extra = extra;
  upstream_head_.clear();
  upstream_head_.reserve(1024);
  http::write_request_head(upstream_head_, head_, upstream);
}

net::Task<RequestLife::Step> RequestLife::forward() {
  upstream_ = worker_.upstreams().take(dispatch_.endpoint.value(), signal_);
  while (true) {
    const bool reused = upstream_ != nullptr;
    if (!reused) {
      const Reach reach = co_await connect();
      if (reach == Reach::client_left) co_return client_left();
      if (reach == Reach::refused) co_return give_up(core::FailureKind::refused);
    }
    switch (co_await exchange(reused)) {
      case Reply::stale:
        // It was closed while it lay parked, before it saw anything of this request: the endpoint is not to blame.
        upstream_.reset();
        continue;
      case Reply::client_left:
        co_return client_left();
      case Reply::died:
        co_return give_up(core::FailureKind::died);
      case Reply::invalid:
        settlement_.ending = core::Ending::failed;
        co_return refuse(openai::Trouble::bad_answer);
      case Reply::timed_out:
        settlement_.ending = core::Ending::failed;
        co_return refuse(openai::Trouble::first_byte_timeout);
      case Reply::head:
        break;
    }
    switch (answer_.status) {
      case 429:
      case 503:
        co_return co_await hold_answer(core::FailureKind::saturated);
      case 502:
      case 504:
        co_return co_await hold_answer(core::FailureKind::bad_gateway);
      default:
        co_return Step::next;
    }
  }
}

net::Task<RequestLife::Reach> RequestLife::connect() {
  auto fd = net::Stream::start_connect(endpoint_->address);
  if (!fd) co_return Reach::refused;
  upstream_ = std::make_unique<net::Stream>(worker_.reactor(), std::move(*fd), signal_,
                                            net::Stream::Connecting{});
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
  absl::InlinedVector<iovec, 12> unsent = {piece(upstream_head_)};
  for (const std::string_view part : upstream_body_->pieces()) unsent.push_back(piece(part));
  std::span<iovec> pieces(unsent.data(), unsent.size());
  bool writing = true;
  std::size_t scanned = 0;
  head_bytes_.clear();
  deadline_.arm(real(worker_.settings().first_byte));
  while (true) {
    if (left()) co_return Reply::client_left;
    if (writing && upstream_->maybe_writable()) {
      const net::Transfer transfer = upstream_->write(pieces);
      if (is_over(transfer)) writing = false;  // it may have answered before it hung up
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
      if (is_over(transfer)) co_return reused&& head_bytes_.empty() ? Reply::stale : Reply::died;
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
      if (is_over(transfer)) {
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
  ticket_.failed(kind);
  return Step::try_again;
}

net::Task<RequestLife::Step> RequestLife::relay() {
  const std::string_view type =
      answer_.find("content-type") != nullptr ? answer_.find("content-type")->value : "";
  const bool event_stream = type.starts_with("text/event-stream");
  const bool success = answer_.status >= 200 && answer_.status < 300;
  AnswerShape shape;
  shape.from = answer_.framing;
  shape.content_length = answer_.content_length;
  shape.to = client_framing(answer_, head_.minor_version, event_stream);
  shape.event_stream = event_stream;
  shape.dialect = openai::dialect_of(route_);
  shape.read_usage =
      success && (openai::has_stream_options(route_) || route_ == openai::Route::messages);
  shape.hide_usage = event_stream && hide_usage_;
  const bool reusable = answer_.keep_alive && answer_.framing != http::Framing::until_close;
  if (shape.to == http::Framing::until_close) keep_client_ = false;
  record_.status = answer_.status;
  settlement_.ending = answer_.status >= 500 ? core::Ending::failed : core::Ending::finished;
  if (answer_.status >= 500) record_.reason = "upstream-error";

  write_response_head(shape.to);
  outlet_.emplace(client_.stream());
  AnswerRelay relay(shape);
  std::vector<iovec> out;
  out.reserve(16);
  out.push_back(piece(response_head_));
  AnswerRelay::State state =
      shape.to == http::Framing::none ? AnswerRelay::State::done : relay.feed(early_body_, out);
  record_.answered = true;
  // From here on no other endpoint may answer, so the request is not needed any more.
  upstream_body_.reset();
  body_.release();
  upstream_head_ = {};
  client_.release_head();

  int reads = 0;
  bool input_over = false;
  bool stalled = false;
  const auto note_progress = [&] {
    if (relay.first_token_seen() && record_.first_token == TimePoint{}) {
      record_.first_token = now();
      if (event_stream) ticket_.first_token();
    }
  };
  const auto stall_limit = [&] {
    return real(outlet_->blocked() ? worker_.settings().client_write
                                   : worker_.settings().stream_idle);
  };
  while (true) {
    note_progress();
    if (left() || !outlet_->offer(out)) co_return client_left();
    out.clear();
    if (state != AnswerRelay::State::more && !outlet_->blocked()) break;
    deadline_.arm(stall_limit());
    // Wait until there is something to do: room at the client's side first, then bytes from the endpoint.
    while (true) {
      if (left()) co_return client_left();
      if (outlet_->blocked()) {
        if (client_.stream().maybe_writable()) {
          const std::size_t kept = outlet_->kept();
          if (!outlet_->flush()) co_return client_left();
          if (outlet_->kept() != kept) deadline_.arm(stall_limit());
        }
      }
      if (!outlet_->blocked()) {
        if (state != AnswerRelay::State::more) break;
        if (upstream_->maybe_readable() && reads < kReadsPerTurn) {
          const net::Transfer transfer = upstream_->read(worker_.scratch());
          if (transfer.bytes > 0) {
            ++reads;
            state = relay.feed({worker_.scratch().data(), transfer.bytes}, out);
            break;
          }
          if (is_over(transfer)) {
            input_over = true;
            state = relay.end_of_input(out);
            break;
          }
        }
      }
      if (deadline_.expired()) {
        if (outlet_->blocked()) {
          record_.reason = "client-stalled";
          co_return client_left();
        }
        state = AnswerRelay::State::broken;
        stalled = true;
        break;
      }
      if (reads >= kReadsPerTurn) {
        reads = 0;
        signal_.notify();
      }
      co_await signal_.wait();
      if (!upstream_->maybe_readable()) reads = 0;
    }
  }
  deadline_.disarm();
  settlement_.usage = relay.usage();
  settlement_.ended_in_tool_call = relay.ended_in_tool_call();
  if (state == AnswerRelay::State::done) {
    if (reusable && request_sent_ && !input_over && !relay.has_excess()) {
      worker_.upstreams().park(dispatch_.endpoint.value(), std::move(upstream_));
    }
    upstream_.reset();
    co_return Step::finished;
  }
  // Cut off in the middle. The client is told where the dialect has a way to, and its connection ends without the mark of a
  // complete answer, so that half of one never looks whole.
  upstream_.reset();
  settlement_.ending = core::Ending::failed;
  keep_client_ = false;
  const openai::Trouble trouble =
      stalled ? openai::Trouble::stream_idle : openai::Trouble::upstream_died;
  record_.reason = openai::facts_of(trouble).reason;
  if (event_stream) {
    std::string event = openai::error_event(shape.dialect, trouble);
    std::string chunk;
    if (shape.to == http::Framing::chunked) {
      http::write_chunk(chunk, event);
    } else {
      chunk = std::move(event);
    }
    co_await client_.write(chunk);
  } else {
    client_.stream().reset_on_close();
  }
  co_return Step::finished;
}

net::Task<bool> RequestLife::settle() {
  if (!record_.status && own_answer_.empty()) co_return false;  // no request ever came
  ticket_.settle(settlement_);
  if (!own_answer_.empty() && !left()) {
    record_.answered = true;
    if (!co_await client_.write(own_answer_)) keep_client_ = false;
  }
  report();
  co_return keep_client_ && !left() && !worker_.draining();
}

void RequestLife::report() {
  const TimePoint ended = now();
  const bool dispatched = record_.dispatched != TimePoint{};
  RequestReport r;
  r.route = route_;
  r.model = model_;
  r.model_name = facts_.model;
  r.status = record_.status;
  r.reason = record_.reason;
  r.total = ended - received_;
  if (!id_.is_none()) r.queued = (dispatched ? record_.dispatched : ended) - received_;
  r.dispatched = dispatched;
  if (record_.first_token != TimePoint{}) r.first_token = record_.first_token - received_;
  r.streaming = facts_.stream;
  r.usage = settlement_.usage;
  worker_.metrics().finished(r);

  telemetry::AccessLog* const log = worker_.shared().access_log;
  if (log == nullptr) return;
  telemetry::AccessRecord line;
  line.time = std::chrono::system_clock::now() -
              std::chrono::duration_cast<std::chrono::system_clock::duration>(real(r.total));
  line.request_id = request_id_;
  if (!id_.is_none()) line.tenant = tenant_.key;
  line.session = session_;
  line.method = method_;
  line.path = path_;
  line.model = facts_.model;
  if (endpoint_) line.endpoint = endpoint_->name;
  line.attempts = dispatched ? dispatch_.attempt : 0;
  line.status = record_.status;
  line.reason = record_.reason;
  if (dispatched) line.decision = core::to_string(dispatch_.why);
  line.streamed = facts_.stream;
  line.queued = r.queued.value_or(Duration(0));
  line.first_token = r.first_token;
  line.total = r.total;
  line.input_tokens = r.usage.prompt_tokens;
  line.cached_tokens = r.usage.cached_tokens;
  line.output_tokens = r.usage.output_tokens;
  log->log(std::move(line));
}

// ---------------------------------------------------------------------------------------------------------------------

void RequestLife::decide(const core::Decision& decision) {
  decision_ = decision;
  signal_.notify();
}

bool RequestLife::left() const {
  return client_.gone() || worker_.aborting();
}

TimePoint RequestLife::now() const {
  return worker_.clock().now();
}

Duration RequestLife::real(Duration policy_time) const {
  return worker_.clock().real(policy_time);
}

RequestLife::Step RequestLife::client_left() {
  upstream_.reset();  // the endpoint sees it at once and stops computing
  deadline_.disarm();
  if (record_.reason.empty()) record_.reason = "client-left";
  record_.status = kClientLeft;
  own_answer_.clear();
  keep_client_ = false;
  settlement_.ending = core::Ending::cancelled;
  return Step::finished;
}

RequestLife::Step RequestLife::refuse(openai::Trouble trouble, std::string_view message,
                                      std::string_view param, Duration retry_after) {
  upstream_.reset();
  deadline_.disarm();
  const openai::TroubleFacts& facts = openai::facts_of(trouble);
  record_.status = facts.status;
  record_.reason = facts.reason;
  absl::InlinedVector<http::Field, 4> extra = {
      {"x-request-id", request_id_, http::FieldKind::end_to_end},
      {"x-turnpike-reason", facts.reason, http::FieldKind::control}};
  std::string seconds;
  if (facts.retry_after) {
    seconds = std::to_string(worker_.retry_after_seconds(retry_after));
    extra.push_back({"Retry-After", seconds, http::FieldKind::end_to_end});
  }
  own_answer_.clear();
  http::write_answer(own_answer_, facts.status, "application/json",
                     openai::error_body(openai::dialect_of(route_), trouble, message, param),
                     keep_client_ && !worker_.draining(), extra, head_.method == "HEAD");
  return Step::finished;
}

RequestLife::Step RequestLife::refuse(const core::Rejection& rejection) {
  // Everybody is full: what the last endpoint said about that is better than anything we could.
  const bool passed_on = !held_answer_.empty() && (held_status_ == 429 || held_status_ == 503) &&
                         (rejection.reason == core::RejectReason::saturated ||
                          rejection.reason == core::RejectReason::attempts_exhausted);
  if (!passed_on)
    return refuse(openai::trouble_of(rejection.reason), {}, {}, rejection.retry_after);
  own_answer_ = std::move(held_answer_);
  record_.status = held_status_;
  record_.reason = core::to_string(rejection.reason);
  return Step::finished;
}

void RequestLife::write_response_head(http::Framing framing) {
  const std::string queued = std::to_string(
      std::chrono::duration_cast<std::chrono::milliseconds>(dispatch_.waited).count());
  absl::InlinedVector<http::Field, 4> extra = {
      {"x-request-id", request_id_, http::FieldKind::end_to_end}};
  if (worker_.settings().response_headers) {
    extra.push_back({"x-turnpike-endpoint", endpoint_->name, http::FieldKind::control});
    extra.push_back({"x-turnpike-queue-ms", queued, http::FieldKind::control});
    extra.push_back(
        {"x-turnpike-decision", core::to_string(dispatch_.why), http::FieldKind::control});
  }
  http::ClientResponse response;
  response.framing = framing;
  response.content_length = answer_.content_length;
  response.keep_alive = keep_client_ && !worker_.draining();
  response.minor_version = head_.minor_version;
  response.extra = extra;
  response_head_.clear();
  response_head_.reserve(512);
  http::write_response_head(response_head_, answer_, response);
}

}  // namespace turnpike::gateway
