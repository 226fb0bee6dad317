#include "app/load/load_session.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.h"
#include "sim/unloaded.h"

namespace turnpike::app {
namespace {

using net::Task;
using sim::Outcome;

// Real time. Silence is legitimate (a queue, a preempted stream); a workload's own patience is shorter.
constexpr net::ClientLimits kLimits{.connect = std::chrono::seconds(5),
                                    .silence = std::chrono::minutes(30)};

// Cuts a request off when its client has waited long enough.
class Patience final : public net::WheelTimer {
 public:
  explicit Patience(net::HttpClient& client) : client_(client) {}
  void on_alarm() override {
    lost_ = true;
    client_.abort();
  }
  [[nodiscard]] bool lost() const { return lost_; }

 private:
  net::HttpClient& client_;
  bool lost_ = false;
};

Duration retry_after_of(const net::ClientAnswer& answer) {
  const auto seconds = parse_unsigned<std::uint32_t>(answer.field("retry-after"));
  return std::chrono::seconds(std::min<std::uint32_t>(seconds.value_or(1), 3600));
}

}  // namespace

LoadSession::LoadSession(LoadRun& run, sim::Session session)
    : run_(run),
      session_(std::move(session)),
      conversation_(session_, run.params_.model),
      client_(run.reactor_, run.params_.address, run.params_.authority),
      pause_signal_(run.reactor_),
      id_(fmt::format("s{}-{}", run.params_.seed, session_.index)) {}

void LoadSession::stop() {
  client_.abort();
  pause_signal_.notify();
}

Task<void> LoadSession::pause(Duration simulated) {
  net::Deadline deadline(pause_signal_);
  deadline.arm(run_.clock_.real(simulated));
  while (!deadline.expired() && !run_.stopping_) co_await pause_signal_.wait();
}

Task<void> LoadSession::play(Duration delay) {
  if (delay > Duration(0)) co_await pause(delay);
  sim::SessionRecord record{.began = now()};
  record.unloaded = sim::unloaded_session(run_.params_.profile, session_);
  ++run_.progress_.sessions_started;
  Outcome last = Outcome::finished;
  for (std::size_t turn = 0; turn < session_.turns.size() && last == Outcome::finished; ++turn) {
    const sim::Turn& next = session_.turns[turn];
    const Duration wait = next.due ? record.began + *next.due - now() : next.gap;
    if (wait > Duration(0)) co_await pause(wait);
    if (run_.stopping_) {
      last = Outcome::unfinished;
    } else {
      last = co_await take_turn(turn);
    }
    if (last == Outcome::finished) start_children(turn);
  }
  record.ended = now();
  record.end = sim::session_end(last);
  ++run_.progress_.sessions_ended;
  run_.log_.add(record);
}

void LoadSession::start_children(std::size_t turn) {
  for (const sim::Session::Child& child : session_.children) {
    if (child.after_turn != turn || run_.stopping_) continue;
    run_.reactor_.spawn(run_.sessions_gate_, run_.child(session_.started(child), child.delay));
  }
}

Task<Outcome> LoadSession::take_turn(std::size_t turn) {
  conversation_.ask(turn);
  const std::string body = conversation_.request_body(turn);
  sim::RequestRecord record{
      .session = session_.index, .tenant = session_.tenant, .submitted = now()};
  ++run_.progress_.requests_running;
  Attempt last;
  for (int tries = 0;; ++tries) {
    last = co_await attempt(body, record);
    if (!last.retry_after) break;
    run_.log_.refused();
    if (!sim::may_retry(turn, tries)) break;
    co_await pause(*last.retry_after);
    if (run_.stopping_) {
      last.outcome = Outcome::unfinished;
      break;
    }
  }
  record.ended = now();
  record.outcome = last.outcome;
  --run_.progress_.requests_running;
  if (last.outcome == Outcome::finished) {
    account(turn, record);
    conversation_.answered(stream_.raw_text());
    ++run_.progress_.requests_finished;
  } else if (last.outcome != Outcome::unfinished) {
    ++run_.progress_.requests_lost;
    if (run_.first_error_.empty()) run_.first_error_ = last.error;
  }
  run_.log_.add(record);
  co_return last.outcome;
}

// The tokens of an answered turn, as reported; as the workload has them where nothing was reported.
void LoadSession::account(std::size_t turn, sim::RequestRecord& record) {
  record.prompt =
      stream_.prompt_tokens() ? TokenCount(*stream_.prompt_tokens()) : session_.prompt_tokens(turn);
  record.cached = TokenCount(stream_.cached_tokens().value_or(0));
  record.output = TokenCount(stream_.completion_tokens());
  record.cacheable =
      cacheable_.answered(session_, turn, record.prompt, record.output, run_.shared_seen_);
}

Task<LoadSession::Attempt> LoadSession::attempt(const std::string& body,
                                                sim::RequestRecord& record) {
  stream_ = AnswerStream();
  record.first_token.reset();
  Patience patience(client_);
  if (run_.params_.workload.patience != kForever) {
    const Duration left = record.submitted + run_.params_.workload.patience - now();
    run_.reactor_.arm(patience, run_.clock_.real(std::max(Duration(0), left)));
  }
  const std::string target = run_.params_.base_path + "/v1/chat/completions";
  net::ClientRequest request{.method = "POST", .target = target, .body = body};
  request.fields.push_back({.name = "Content-Type", .value = "application/json"});
  if (session_.identified && !run_.params_.session_header.empty()) {
    request.fields.push_back({.name = run_.params_.session_header, .value = id_});
  }
  int status = 0;
  const auto on_head = [&](const net::ClientAnswer& answer) {
    status = answer.status;
    if (const auto ms = parse_unsigned<std::uint64_t>(answer.field("x-turnpike-queue-ms"))) {
      record.queued = std::chrono::milliseconds(*ms);
    }
  };
  const auto on_bytes = [&](std::string_view bytes) {
    const std::int64_t before = stream_.completion_tokens();
    if (status == 200 && stream_.feed(bytes)) record.first_token = now();
    run_.progress_.output_tokens += std::max<std::int64_t>(0, stream_.completion_tokens() - before);
    return true;
  };
  const auto answer = co_await client_.request(request, kLimits, on_bytes, on_head);
  co_return judge(answer, patience.lost());
}

LoadSession::Attempt LoadSession::judge(const Expected<net::ClientAnswer>& answer,
                                        bool patience_lost) const {
  if (run_.stopping_ && !stream_.complete()) return {.outcome = Outcome::unfinished};
  if (patience_lost) return {.outcome = Outcome::timed_out, .error = "it took too long"};
  if (!answer) return {.outcome = Outcome::failed, .error = answer.error().message};
  switch (answer->status) {
    case 200:
      if (stream_.failed()) {
        return {.outcome = Outcome::failed, .error = std::string(stream_.error())};
      }
      if (!stream_.complete()) {
        return {.outcome = Outcome::failed, .error = "the stream ended before the answer did"};
      }
      return {.outcome = Outcome::finished};
    case 429:
    case 503:
      return {.outcome = Outcome::rejected,
              .error = fmt::format("status {}", answer->status),
              .retry_after = retry_after_of(*answer)};
    case 408:
    case 504:
      return {.outcome = Outcome::timed_out, .error = fmt::format("status {}", answer->status)};
    default:
      return {.outcome = Outcome::failed, .error = fmt::format("status {}", answer->status)};
  }
}

}  // namespace turnpike::app
