#include "sim/trace_journal.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <fmt/format.h>

#include "base/random.h"
#include "core/journal/recorded_requests.h"
#include "sim/trace_parts.h"

namespace turnpike::sim {
namespace {

using core::RecordedRequest;

// As the engine counted it, else as the gateway guessed.
TokenCount prompt_of(const RecordedRequest& request) {
  const TokenCount guessed = request.submission.prompt_tokens;
  return request.settlement ? request.settlement->usage.prompt_tokens.value_or(guessed) : guessed;
}

bool is_known(const RecordedRequest& request) {
  return request.ended && request.settlement &&
         request.settlement->ending == core::Ending::finished &&
         request.settlement->usage.output_tokens.value_or(TokenCount(0)) > TokenCount(0) &&
         prompt_of(request) > TokenCount(0) &&
         prompt_of(request) <= TokenCount(trace_parts::kMostTokens) &&
         *request.settlement->usage.output_tokens <= TokenCount(trace_parts::kMostTokens);
}

// Tokens of a block of the fingerprint: whole blocks of the engine's, at least one.
TokenCount tokens_of_a_block(const std::vector<RecordedRequest>& requests) {
  double tokens = 0;
  double blocks = 0;
  for (const RecordedRequest& request : requests) {
    if (!is_known(request) || request.submission.blocks.empty()) continue;
    tokens += prompt_of(request).as_double();
    // On average half a block at the end is in no fingerprint.
    blocks += static_cast<double>(request.submission.blocks.size()) + 0.5;
  }
  constexpr double kUsual = 256;
  const double each = blocks > 0 ? tokens / blocks : kUsual;
  const double engine_blocks = std::round(each / static_cast<double>(engine::kBlockTokens));
  return TokenCount(std::max(1LL, std::llround(engine_blocks)) * engine::kBlockTokens);
}

// A session on its way through the journal.
struct Open {
  std::size_t place = 0;  // in the trace
  TimePoint began;
  TimePoint ended;
};

class Builder {
 public:
  explicit Builder(TokenCount piece) : piece_(piece) {}

  void add(const RecordedRequest& request) {
    const core::Submission& submission = request.submission;
    if (!any_) first_ = request.arrival;
    any_ = true;
    Open* open = nullptr;
    if (submission.session) {
      const auto key = std::pair(submission.tenant.value(), submission.session.value());
      const auto [found, fresh] = sessions_.try_emplace(key);
      open = &found->second;
      if (fresh) *open = begin(request);
    } else {
      single_ = begin(request);
      open = &single_;
    }
    Session& session = result_.trace.sessions[open->place];
    Turn turn{.appended = prompt_of(request),
              .output = *request.settlement->usage.output_tokens,
              .calls_tool = request.settlement->ended_in_tool_call};
    if (!session.turns.empty()) {
      const std::size_t previous = session.turns.size() - 1;
      turn.appended -= session.prompt_tokens(previous) + session.turns[previous].output;
      turn.gap = std::max(Duration(0), request.arrival - open->ended);
    }
    turn.due = request.arrival - open->began;
    std::size_t known = 0;
    while (known < submission.blocks.size() && computed_.contains(submission.blocks[known]))
      ++known;
    for (const std::uint64_t block : submission.blocks) {
      trace_parts::append(turn.pieces, block);
      computed_.insert(block);
    }
    turn.kept =
        std::min(TokenCount(piece_.value() * static_cast<std::int64_t>(known)), prompt_of(request));
    open->ended = std::max(open->ended, *request.ended);
    last_ = request.arrival;
    session.turns.push_back(std::move(turn));
  }

  JournalTrace result(std::uint64_t left_out) {
    for (Session& session : result_.trace.sessions) trace_parts::link_turns(session);
    result_.trace.span = last_ - first_ + std::chrono::seconds(1);
    result_.left_out = left_out;
    return std::move(result_);
  }

 private:
  Open begin(const RecordedRequest& request) {
    Trace& trace = result_.trace;
    Session session;
    session.text = mix64(trace.sessions.size());
    session.tenant = tenant_name(request.submission);
    session.shape = "trace";
    session.identified = static_cast<bool>(request.submission.session);
    session.piece_tokens = piece_;
    trace.begins.push_back(request.arrival - first_);
    trace.sessions.push_back(std::move(session));
    return {.place = trace.sessions.size() - 1, .began = request.arrival, .ended = request.arrival};
  }

  std::string_view tenant_name(const core::Submission& submission) {
    if (submission.tenant_is_anonymous) return "default";
    const auto [found, fresh] = tenants_.try_emplace(submission.tenant.value());
    if (fresh) {
      found->second = result_.trace.names.emplace_back(
          fmt::format("tenant-{:04x}", submission.tenant.value() & 0xffffU));
    }
    return found->second;
  }

  TokenCount piece_;
  JournalTrace result_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Open> sessions_;
  absl::flat_hash_map<std::uint64_t, std::string_view> tenants_;
  absl::flat_hash_set<std::uint64_t> computed_;
  Open single_;
  TimePoint first_{};
  TimePoint last_{};
  bool any_ = false;
};

}  // namespace

Expected<JournalTrace> journal_trace(const std::vector<std::string_view>& pieces) {
  const auto recorded = core::read_requests(pieces);
  if (!recorded) return std::unexpected(recorded.error());
  Builder builder(tokens_of_a_block(recorded->requests));
  std::uint64_t left_out = 0;
  for (const RecordedRequest& request : recorded->requests) {
    if (is_known(request)) {
      builder.add(request);
    } else {
      ++left_out;
    }
  }
  JournalTrace result = builder.result(left_out);
  if (result.trace.sessions.empty()) return fail("has no answered request");
  return result;
}

}  // namespace turnpike::sim
