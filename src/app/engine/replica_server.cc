#include "app/engine/replica_server.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstring>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <nlohmann/json.hpp>

namespace turnpike::app {
namespace {

using net::Exchange;
using net::Task;

constexpr Duration kLongestFarewell = std::chrono::seconds(5);
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

std::int64_t seconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Wakes the handler of a request when its generation moves on.
class Waker final : public Generation::Listener {
 public:
  explicit Waker(net::Signal& signal) : signal_(signal) {}
  void on_progress() override { signal_.notify(); }

 private:
  net::Signal& signal_;
};

Task<void> until_gone(Exchange& exchange) {
  while (!exchange.gone()) co_await exchange.signal().wait();
}

// Waits for real time to pass; false if the client left first.
Task<bool> pause(Exchange& exchange, Duration real) {
  net::Deadline deadline(exchange.signal());
  deadline.arm(real);
  while (!deadline.expired() && !exchange.gone()) co_await exchange.signal().wait();
  co_return !exchange.gone();
}

// How many tokens may be sent before the fault happens.
std::int64_t tokens_before(const Fault* fault) {
  return fault == nullptr ? std::numeric_limits<std::int64_t>::max() : fault->after_tokens;
}

// What a fault in the middle of an answer does, after everything before it has been sent.
Task<void> break_off(Exchange& exchange, Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::stall:
      co_await until_gone(exchange);
      break;
    case Fault::Kind::end:
      co_await exchange.end_stream();
      break;
    case Fault::Kind::truncate:
      // The client reads up to the end of the connection: a reset could overtake what was sent.
      ::shutdown(exchange.connection().stream().fd(), SHUT_WR);
      static_cast<void>(co_await pause(exchange, kLongestFarewell));
      break;
    case Fault::Kind::reset:
    case Fault::Kind::status:
    case Fault::Kind::delay:
      exchange.abort();
      break;
  }
}

}  // namespace

ReplicaServer::ReplicaServer(net::Reactor& reactor, const Clock& clock,
                             const ReplicaServerParams& params)
    : reactor_(reactor),
      clock_(clock),
      params_(params),
      metrics_(params.model),
      replica_(params.engine, *this),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      created_(seconds_since_1970()),
      server_(reactor, [this](Exchange& exchange) { return handle(exchange); }) {
  reactor_.watch(timer_.get(), *this);
}

ReplicaServer::~ReplicaServer() {
  reactor_.unwatch(timer_.get());
}

void ReplicaServer::on_ready(std::uint32_t) {
  replica_.advance(clock_.now());
  arm();
}

// The reactor's own timers tick in milliseconds; a step of an accelerated engine is shorter than that.
void ReplicaServer::arm() {
  itimerspec when{};  // all zero: disarmed
  if (const auto deadline = replica_.next_deadline()) {
    const Duration wait =
        std::max(Duration(1), clock_.real(std::max(Duration(0), *deadline - clock_.now())));
    const auto whole = std::chrono::floor<std::chrono::seconds>(wait);
    when.it_value.tv_sec = whole.count();
    when.it_value.tv_nsec = (wait - whole).count();
  }
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

TokenCount ReplicaServer::longest() const {
  const TokenCount fits = replica_.engine().longest_sequence();
  return params_.max_model_len > TokenCount(0) ? std::min(params_.max_model_len, fits) : fits;
}

Task<void> ReplicaServer::refuse(Exchange& exchange, const ApiError& error) {
  co_await exchange.respond(error.status, kJson, error_body(error));
}

Task<void> ReplicaServer::handle(Exchange& exchange) {
  const std::string_view path = exchange.path();
  if (path.starts_with("/admin/")) {
    co_await administer(exchange);
    co_return;
  }
  const std::optional<Fault> fault = faults_.take(path);
  const Fault* in_answer = nullptr;  // a fault that happens later
  if (fault) {
    if (fault->kind == Fault::Kind::status) {
      const std::string retry_after = std::to_string(fault->retry_after.value_or(0));
      const http::Field field{.name = "Retry-After", .value = retry_after};
      const std::string body = error_body({.status = fault->status,
                                           .message = "A fault that was asked for.",
                                           .type = "InjectedFault"});
      const std::span<const http::Field> fields(&field, fault->retry_after ? 1 : 0);
      co_await exchange.respond(fault->status, kJson, body, fields);
      co_return;
    }
    if (fault->kind == Fault::Kind::delay) {
      const bool stayed = co_await pause(exchange, fault->delay);
      if (!stayed) co_return;
    } else {
      in_answer = &*fault;
    }
  }

  if (exchange.head().method == "POST") {
    if (path == "/v1/chat/completions") {
      co_await generate(exchange, Api::chat, in_answer);
      co_return;
    }
    if (path == "/v1/completions") {
      co_await generate(exchange, Api::completion, in_answer);
      co_return;
    }
  }
  if (in_answer != nullptr) {
    co_await break_off(
        exchange, in_answer->kind == Fault::Kind::stall ? Fault::Kind::stall : Fault::Kind::reset);
    co_return;
  }
  if (exchange.head().method == "POST" && path == "/tokenize") {
    co_await tokenize(exchange);
  } else {
    co_await inform(exchange);
  }
}

Task<void> ReplicaServer::inform(Exchange& exchange) {
  const std::string_view path = exchange.path();
  const bool get = exchange.head().method == "GET" || exchange.head().method == "HEAD";
  constexpr std::array<std::string_view, 6> kKnown{
      "/v1/models", "/health", "/metrics", "/version", "/v1/chat/completions", "/v1/completions"};
  if (!get) {
    const bool known = std::ranges::find(kKnown, path) != kKnown.end();
    co_await exchange.respond(known ? 405 : 404, kJson,
                              known ? R"({"detail":"Method Not Allowed"})" : kNotFoundBody);
  } else if (path == "/health" || path == "/ping") {
    co_await exchange.respond(200, "text/plain", "");
  } else if (path == "/metrics") {
    co_await exchange.respond(200, "text/plain; version=0.0.4; charset=utf-8",
                              metrics_.text(replica_.engine()));
  } else if (path == "/v1/models") {
    co_await exchange.respond(200, kJson, models_body(params_.model, longest(), created_));
  } else if (path == "/version") {
    co_await exchange.respond(200, kJson, R"({"version":"0.32.0+turnpike"})");
  } else {
    const bool known = std::ranges::find(kKnown, path) != kKnown.end();
    co_await exchange.respond(known ? 405 : 404, kJson,
                              known ? R"({"detail":"Method Not Allowed"})" : kNotFoundBody);
  }
}

Task<void> ReplicaServer::administer(Exchange& exchange) {
  const std::string_view method = exchange.head().method;
  if (exchange.path() != "/admin/faults") {
    co_await exchange.respond(404, kJson, kNotFoundBody);
    co_return;
  }
  if (method == "POST") {
    const auto fault = parse_fault(exchange.body());
    std::string why = fault ? "" : fault.error().message;
    if (fault && !faults_.add(*fault)) why = "too many faults are planned";
    if (!why.empty()) {
      co_await refuse(exchange, {.status = 400, .message = why});
      co_return;
    }
  } else if (method == "DELETE") {
    faults_.clear();
  } else if (method != "GET") {
    co_await exchange.respond(405, kJson, R"({"detail":"Method Not Allowed"})");
    co_return;
  }
  co_await exchange.respond(200, kJson, nlohmann::json{{"faults", faults_.list()}}.dump() + "\n");
}

Task<void> ReplicaServer::tokenize(Exchange& exchange) {
  auto request = parse_generation(Api::chat, exchange.body());
  if (!request) request = parse_generation(Api::completion, exchange.body());
  if (!request) {
    co_await refuse(exchange, request.error());
    co_return;
  }
  nlohmann::json tokens = nlohmann::json::array();
  const std::string_view text = request->rendered;
  for (std::size_t at = 0; at < text.size(); at += kBytesPerToken) {
    std::uint32_t token = 0;
    const std::string_view piece = text.substr(at, kBytesPerToken);
    std::memcpy(&token, piece.data(), piece.size());
    tokens.push_back(token);
  }
  const nlohmann::json body{{"count", tokens.size()},
                            {"max_model_len", longest().value()},
                            {"tokens", std::move(tokens)}};
  co_await exchange.respond(200, kJson, body.dump());
}

std::expected<engine::SequenceSpec, ApiError> ReplicaServer::admit(const GenerationRequest& request,
                                                                   std::string& answer) const {
  if (!request.model.empty() && request.model != params_.model) {
    return std::unexpected(unknown_model(request.model));
  }
  const TokenCount prompt = prompt_tokens(request);
  const TokenCount room = longest() - prompt;
  const TokenCount output =
      request.max_tokens ? TokenCount(*request.max_tokens)
                         : std::clamp(room, TokenCount(1), default_answer_length(request.rendered));
  if (output > room) return std::unexpected(too_long(longest(), prompt, output));
  if (params_.max_queued > 0 && replica_.engine().gauges().waiting >= params_.max_queued) {
    return std::unexpected(ApiError{
        .status = 503,
        .message = "The server is currently busy. Please retry later or try a different instance.",
        .type = "ServiceUnavailableError"});
  }
  answer = answer_text(request.rendered, output);
  return engine::SequenceSpec{.id = {},
                              .prompt_tokens = prompt,
                              .output_tokens = output,
                              .chain = block_chain(request.rendered, answer)};
}

AnswerWriter ReplicaServer::make_writer(const Exchange& exchange, Api api) {
  const http::Field* const given = exchange.head().find("x-request-id");
  const std::string id =
      given != nullptr ? std::string(given->value) : fmt::format("{:x}-{:x}", created_, answers_);
  ++answers_;
  return AnswerWriter(api, id, params_.model, seconds_since_1970());
}

Task<void> ReplicaServer::generate(Exchange& exchange, Api api, const Fault* fault) {
  const auto request = parse_generation(api, exchange.body());
  if (!request) {
    co_await refuse(exchange, request.error());
    co_return;
  }
  std::string answer;
  auto spec = admit(*request, answer);
  if (!spec) {
    co_await refuse(exchange, spec.error());
    co_return;
  }
  Waker waker(exchange.signal());
  Generation generation(replica_, waker);
  [[maybe_unused]] const bool started = replica_.start(generation, *std::move(spec), clock_.now());
  assert(started);  // admit() has seen that it fits
  arm();
  if (request->stream) {
    co_await stream(exchange, *request, generation, answer, fault);
  } else {
    co_await answer_whole(exchange, *request, generation, answer, fault);
  }
}

Task<void> ReplicaServer::stream(Exchange& exchange, const GenerationRequest& request,
                                 const Generation& generation, const std::string& answer,
                                 const Fault* fault) {
  const std::string_view finish = request.max_tokens ? "length" : "stop";
  const AnswerWriter writer = make_writer(exchange, request.api);
  const std::int64_t most = tokens_before(fault);
  std::int64_t sent = 0;
  bool begun = false;
  std::string events;
  while (true) {
    // Like vLLM, the head goes out with the first token.
    while (generation.tokens() == sent && sent < most && !exchange.gone()) {
      co_await exchange.signal().wait();
    }
    if (exchange.gone()) co_return;
    if (!begun && (most > 0 || fault->kind == Fault::Kind::end)) {
      begun = true;
      const bool ok = co_await exchange.begin_stream(200, kEventStream);
      if (!ok) co_return;
      writer.begin(events);
    }
    const std::int64_t upto = std::min(generation.tokens(), most);
    const bool last = generation.finished() && upto == generation.tokens();
    for (; sent < upto; ++sent) {
      const auto at = static_cast<std::size_t>(sent * kBytesPerToken);
      writer.token(events, std::string_view(answer).substr(at, kBytesPerToken),
                   last && sent + 1 == upto ? finish : "");
    }
    if (last && request.include_usage) {
      writer.usage(events, {.prompt = prompt_tokens(request),
                            .cached = generation.cached(),
                            .completion = TokenCount(sent)});
    }
    if (last) AnswerWriter::done(events);
    const bool ok = co_await exchange.send(events);
    if (!ok) co_return;
    events.clear();
    if (last) break;
    if (sent >= most) {
      co_await break_off(exchange, fault->kind);
      co_return;
    }
  }
  metrics_.finished(finish);
  co_await exchange.end_stream();
}

Task<void> ReplicaServer::answer_whole(Exchange& exchange, const GenerationRequest& request,
                                       const Generation& generation, const std::string& answer,
                                       const Fault* fault) {
  const std::string_view finish = request.max_tokens ? "length" : "stop";
  const std::int64_t most = tokens_before(fault);
  while (!generation.finished() && generation.tokens() < most && !exchange.gone()) {
    co_await exchange.signal().wait();
  }
  if (exchange.gone()) co_return;
  if (generation.tokens() >= most) {
    co_await break_off(exchange,
                       fault->kind == Fault::Kind::stall ? Fault::Kind::stall : Fault::Kind::reset);
    co_return;
  }
  const AnswerWriter writer = make_writer(exchange, request.api);
  metrics_.finished(finish);
  co_await exchange.respond(200, kJson,
                            writer.whole(answer, finish,
                                         {.prompt = prompt_tokens(request),
                                          .cached = generation.cached(),
                                          .completion = TokenCount(generation.tokens())}));
}

}  // namespace turnpike::app
