// How a request ends other than by an endpoint's answer, what is said about it, and to whom.

#include <string>

#include <absl/container/inlined_vector.h>

#include "gateway/request_life.h"
#include "gateway/worker.h"
#include "gateway/worker_metrics.h"
#include "http/write.h"

namespace turnpike::gateway {

namespace {

constexpr int kClientLeft = 499;

}  // namespace

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
  const tenant::RateHeaders rates =
      charged_ || trouble == openai::Trouble::rate_limited ? rate_headers() : tenant::RateHeaders();
  for (const auto& [name, value] : rates.fields())
    extra.push_back({name, value, http::FieldKind::end_to_end});
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
  using enum core::RejectReason;
  const bool refused =
      rejection.reason == attempts_exhausted && last_failure_ == core::FailureKind::refused;
  if (holder_ && (refused || rejection.reason == no_endpoint || rejection.reason == unknown_model))
    return holder_is_gone();
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
  absl::InlinedVector<http::Field, 5> extra = {
      {"x-request-id", request_id_, http::FieldKind::end_to_end}};
  const tenant::RateHeaders rates = charged_ ? rate_headers() : tenant::RateHeaders();
  for (const auto& [name, value] : rates.fields())
    extra.push_back({name, value, http::FieldKind::end_to_end});
  if (worker_.settings().response_headers) {
    extra.push_back({"x-turnpike-endpoint", endpoint_->name, http::FieldKind::control});
    extra.push_back({"x-turnpike-queue-ms", queued, http::FieldKind::control});
    extra.push_back(
        {"x-turnpike-decision", core::to_string(dispatch_.why), http::FieldKind::control});
    if (!session_from_.empty())
      extra.push_back({"x-turnpike-session-from", session_from_, http::FieldKind::control});
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

void RequestLife::report() {
  const TimePoint ended = now();
  const bool dispatched = record_.dispatched != TimePoint{};
  RequestReport r;
  r.route = route_;
  r.model = model_;
  r.model_name = target_;
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
  telemetry::RecentRequests& recent = worker_.shared().recent;
  const bool explains = recent.on() && !id_.is_none();
  if (log == nullptr && !explains) return;
  telemetry::AccessRecord line;
  line.time = std::chrono::system_clock::now() -
              std::chrono::duration_cast<std::chrono::system_clock::duration>(real(r.total));
  line.request_id = request_id_;
  if (!id_.is_none()) line.tenant = tenant_.key;
  line.session = session_;
  line.session_from = session_from_;
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
  if (dispatched) {
    line.explanation = dispatch_.explanation;
    const auto runner_up = worker_.directory().endpoint(dispatch_.explanation.weighing.runner_up);
    if (runner_up) line.runner_up = runner_up->name;
  } else if (const auto* refusal =
                 decision_ ? std::get_if<core::Rejection>(&*decision_) : nullptr) {
    line.explanation = {.ahead = refusal->ahead, .overtaken = refusal->overtaken};
  }
  if (explains) {
    recent.add(worker_.index(), {.record = line,
                                 .model = model_,
                                 .arrived = received_,
                                 .dispatched = dispatched ? record_.dispatched : TimePoint::max()});
  }
  if (log != nullptr) log->log(std::move(line));
}

}  // namespace turnpike::gateway
