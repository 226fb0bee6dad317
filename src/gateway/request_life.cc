#include "gateway/request_life.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/hash_chain.h"
#include "gateway/answer_relay.h"
#include "gateway/labels.h"
#include "gateway/worker.h"
#include "gateway/worker_metrics.h"
#include "http/chunk.h"
#include "http/write.h"
#include "openai/form.h"

namespace turnpike::gateway {

namespace {

// So many reads in a row from one endpoint before others get their turn.
constexpr int kReadsPerTurn = 16;
// So much of a path is logged.
constexpr std::size_t kLoggedPath = 256;

}  // namespace

RequestLife::RequestLife(Worker& worker, net::ServerConnection& client)
    : worker_(worker), client_(client), signal_(client.signal()), deadline_(signal_) {}

RequestLife::~RequestLife() {
  if (!id_.is_none()) worker_.dismiss(id_);
}

net::Task<bool> RequestLife::run() {
  Step step = co_await receive();
  if (step == Step::next) step = answer_locally();
  if (step == Step::next && route_ == openai::Route::stored_response) {
    step = co_await ask_holder();
    co_return co_await settle();
  }
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
  if (receipt.status == Status::complete &&
      (worker_.shared().access_log != nullptr || worker_.shared().recent.on())) {
    method_ = head_.method;
    path_ = head_.path().substr(0, kLoggedPath);
  }
  if (receipt.status == Status::complete) {
    const http::Field* const given = head_.find("x-request-id");
    request_id_ = given != nullptr && !given->value.empty() && given->value.size() <= 128
                      ? std::string(given->value)
                      : worker_.make_request_id();
    // Strangers are sent away before their bodies are read.
    if (const Step step = admit_caller(); step != Step::next) co_return step;
    if (client_.take_body_at_hand(head_, body_)) co_return Step::next;
    receipt = co_await client_.read_body(head_, body_);
  } else {
    head_.clear();  // its views may look into a buffer that has moved
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
      const std::optional<std::string> body = models_body(directory, worker_.routes(), wanted);
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
                     fmt::join(known_models(worker_.directory(), worker_.routes()), ", "));
}

RequestLife::Step RequestLife::understand() {
  const Settings& settings = worker_.settings();
  const bool reads_messages =
      worker_.shared().conversations != nullptr && may_ask_prompt(head_, settings.sessions);
  const http::Field* const type = head_.find("content-type");
  is_form_ = type != nullptr && openai::is_form(type->value);
  auto facts = is_form_ ? openai::scan_form(type->value, body_.view())
                        : worker_.scanner().scan(route_, body_.view(), reads_messages);
  if (!facts) return refuse(openai::Trouble::bad_body, facts.error().message, facts.error().param);
  facts_ = std::move(*facts);

  const Directory& directory = worker_.directory();
  if (facts_.model.empty() && directory.models_known) {
    if (directory.served.size() != 1) {
      return refuse(openai::Trouble::bad_body,
                    fmt::format("'model' is missing, and {} models are served here: {}.",
                                directory.served.size(), fmt::join(directory.served, ", ")),
                    "model");
    }
    facts_.model = directory.served.front();
  }
  find_target();
  const auto model = directory.models.find(target_);
  if (model == directory.models.end()) {
    if (!directory.models_known) {
      return refuse(openai::Trouble::models_unknown, {}, {}, worker_.settings().models_interval);
    }
    return refuse(openai::Trouble::unknown_model, unknown_model(facts_.model), "model");
  }
  model_ = model->second;
  is_adapter_ = directory.adapters.contains(model_);
  if (const http::Field* const wanted = head_.find(kLabelsHeader)) {
    const auto labels = split_labels(wanted->value);
    const auto labelled = directory.labelled.find(labelled_name(target_, labels));
    if (!labels.empty() && labelled == directory.labelled.end()) {
      return refuse(openai::Trouble::unknown_model,
                    fmt::format("No endpoint that serves '{}' has the labels '{}'.", target_,
                                fmt::join(labels, ",")));
    }
    if (!labels.empty()) {
      model_ = labelled->second;
      is_adapter_ = false;  // the pool knows adapters by the names that gauges use
    }
  }

  find_tenant();
  if (const Step step = find_holder(); step != Step::next) return step;
  if (const Step step = take_limits(); step != Step::next) return step;
  find_session();
  upstream_body_.emplace(body_.view());
  if (target_ != facts_.model && facts_.model_size > 0) {
    std::string name;
    if (is_form_) {
      name = target_;
    } else {
      openai::append_json_string(name, target_);
    }
    upstream_body_->add({facts_.model_at, facts_.model_size, std::move(name)});
  }
  if (facts_.ask_for_usage) {
    hide_usage_ = true;
    upstream_body_->add(*std::move(facts_.ask_for_usage));
  }
  return Step::next;
}

// The same conversation gets the same target, so that a canary splits none.
void RequestLife::find_target() {
  target_ = facts_.model;
  const openai::ModelRoutes::Rule* const rule = worker_.routes().find(facts_.model, head_);
  if (rule == nullptr) return;
  const auto session = openai::find_session(head_, facts_, worker_.settings().sessions);
  const std::uint64_t number = session                         ? hash_bytes(session->id)
                               : facts_.conversation.root != 0 ? facts_.conversation.root
                                                               : facts_.prompt_hash;
  target_ = openai::ModelRoutes::draw(*rule, number).model;
}

void RequestLife::find_session() {
  const Settings& settings = worker_.settings();
  auto found = openai::find_session(head_, facts_, settings.sessions);
  session_is_final_ = openai::ends_session(head_);
  // What it goes on from is not in the prompt, so that the prompt tells nothing.
  if (!facts_.previous_response.empty() && (!found || found->from.starts_with("body:"))) {
    session_ = held_session_;
    if (session_) session_from_ = "body:previous_response_id";
    facts_.conversation = {};
    return;
  }
  Conversations* const known = worker_.shared().conversations;
  if (!found && known != nullptr) {
    conversation_ = known->begin(tenant_, facts_, body_.view());
    if (conversation_) {
      session_ = conversation_.turn().session;
      parent_ = conversation_.turn().parent;
      session_is_doubtful_ = conversation_.turn().doubtful;
      session_from_ = fmt::format("prompt:{}", to_string(conversation_.turn().how));
    }
  }
  facts_.conversation = {};
  if (conversation_) return;
  if (!found)
    found = openai::find_session(head_, facts_, settings.sessions, openai::Sources::behind_prompt);
  if (!found) return;
  const auto& model = facts_.model;
  session_ = openai::session_key(*found, tenant_.key, model, settings.hash_seed);
  parent_ = openai::parent_key(*found, tenant_.key, model, settings.hash_seed);
  session_is_doubtful_ = found->doubtful;
  session_from_ = std::move(found->from);
}

void RequestLife::submit() {
  id_ = worker_.admit(*this);
  core::Submission submission;
  submission.id = id_;
  submission.model = holder_ ? own_model(holder_) : model_;
  submission.session = session_;
  submission.doubtful_session = session_is_doubtful_;
  submission.parent = parent_;
  submission.tenant = tenant_.key;
  submission.tenant_is_anonymous = tenant_.anonymous;
  submission.tenant_weight = caller_.terms->weight;
  submission.priority = priority();
  submission.deadline = deadline();
  submission.prompt_tokens = prompt_estimate_;
  submission.body_bytes = ByteCount(static_cast<std::int64_t>(body_.size()));
  submission.prompt_hash = facts_.prompt_hash;
  submission.streaming = facts_.stream;
  submission.adapter = is_adapter_;
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

net::Task<RequestLife::Step> RequestLife::relay() {
  const std::string_view type =
      answer_.find("content-type") != nullptr ? answer_.find("content-type")->value : "";
  const bool event_stream = type.starts_with("text/event-stream");
  const bool success = answer_.status >= 200 && answer_.status < 300;
  AnswerShape shape;
  shape.from = answer_.framing;
  shape.content_length = answer_.content_length;
  shape.to = client_framing(answer_, head_.minor_version, event_stream || target_ != facts_.model);
  shape.event_stream = event_stream;
  shape.dialect = openai::dialect_of(route_);
  // What is compressed is passed on unread.
  shape.read_usage = success && answer_.find("content-encoding") == nullptr;
  shape.hide_usage = event_stream && hide_usage_ && shape.read_usage;
  const bool may_be_stored = success && route_ == openai::Route::responses;
  shape.read_notes = shape.read_usage && (conversation_ || may_be_stored);
  if (target_ != facts_.model && answer_.find("content-encoding") == nullptr) {
    shape.rename_from = target_;
    shape.rename_to = facts_.model;
  }
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
  out.push_back(net::as_iovec(response_head_));
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
  bool remembered = false;
  const auto note_progress = [&] {
    if (relay.first_token_seen() && record_.first_token == TimePoint{}) {
      record_.first_token = now();
      if (event_stream && ticket_) ticket_.first_token();
    }
    if (!may_be_stored || remembered) return;
    // Before the client can ask for it.
    const std::string& id = state == AnswerRelay::State::more ? relay.notes().response_id_yet()
                                                              : relay.notes().response_id();
    if (id.empty()) return;
    remembered = true;
    remember(id);
    if (!facts_.kept_conversation.empty()) remember(facts_.kept_conversation);
  };
  const auto stall_limit = [&] {
    return real(outlet_->blocked() ? worker_.settings().client_write
                                   : worker_.settings().stream_idle);
  };
  while (true) {
    note_progress();
    if (left() || !outlet_->offer(out)) co_return client_left();
    out.clear();
    if (!response_head_.empty())
      response_head_ = {};  // sent: a stream that is silent from now on owns no buffer
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
          if (transfer.is_over()) {
            input_over = true;
            state = transfer.status == net::Transfer::Status::closed ? relay.end_of_input(out)
                                                                     : AnswerRelay::State::broken;
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
  conversation_.end(success && state == AnswerRelay::State::done, relay.notes().sign());
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
  if (session_is_final_ && session_ && record_.dispatched != TimePoint{}) {
    worker_.shared().owner.run([model = model_, session = session_](Pools& pools, TimePoint at) {
      if (core::Pool* const pool = pools.of_model(model)) pool->end_session(session, at);
    });
  }
  settle_limits();
  if (!own_answer_.empty() && !left()) {
    record_.answered = true;
    if (!co_await client_.write(own_answer_)) keep_client_ = false;
  }
  report();
  co_return keep_client_ && !left() && !worker_.draining();
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

}  // namespace turnpike::gateway
