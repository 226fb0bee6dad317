#include "app/journal_command.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "core/journal/journal_reader.h"
#include "core/journal/recorded_requests.h"
#include "core/journal/replay.h"
#include "telemetry/journal_files.h"

namespace turnpike::app {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string path;
  bool requests = false;
};

std::vector<std::string_view> views(const std::vector<std::string>& pieces) {
  return {pieces.begin(), pieces.end()};
}

std::string hash_text(std::uint64_t hash) {
  return fmt::format("{:016x}", hash);
}

template <typename T>
void put(Json& out, const char* name, const std::optional<T>& count) {
  if (count) out[name] = count->value();
}

// One request as a JSON object; times in seconds since the journal's first record, as the policy's clock counts them.
Json describe(const core::RecordedRequest& request, TimePoint start) {
  const core::Submission& submission = request.submission;
  Json out = {{"at", to_seconds(request.arrival - start)},
              {"pool", request.pool},
              {"request", submission.id.value()},
              {"model", submission.model.value()}};
  if (submission.session) out["session"] = hash_text(submission.session.value());
  if (!submission.tenant_is_anonymous) out["tenant"] = hash_text(submission.tenant.value());
  out["prompt_tokens"] = submission.prompt_tokens.value();
  out["body_bytes"] = submission.body_bytes.value();
  out["blocks"] = submission.blocks.size();
  if (request.first_token) out["first_token"] = to_seconds(*request.first_token - request.arrival);
  if (request.ended) out["ended"] = to_seconds(*request.ended - request.arrival);
  if (request.attempts_failed > 0) out["attempts_failed"] = request.attempts_failed;
  if (request.settlement) {
    constexpr std::array kEndings = {"finished", "failed", "cancelled"};
    const core::Usage& usage = request.settlement->usage;
    out["ending"] = kEndings.at(static_cast<std::size_t>(request.settlement->ending));
    put(out, "input_tokens", usage.prompt_tokens);
    put(out, "cached_tokens", usage.cached_tokens);
    put(out, "output_tokens", usage.output_tokens);
  } else if (request.cancelled_in_queue) {
    out["ending"] = "cancelled";
  }
  return out;
}

// What all records come to; an error names the piece and the offset.
Expected<Json> summarize(const std::vector<std::string>& pieces) {
  Json out;
  core::JournalReader reader{std::string_view{}};
  core::Replay replay;
  std::uint64_t records = 0;
  std::uint64_t dispatched = 0;
  std::uint64_t rejected = 0;
  std::optional<TimePoint> first;
  std::optional<std::int64_t> wall_clock;
  TimePoint last{};
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    reader.continue_with(pieces[i]);
    while (true) {
      const auto record = reader.next();
      if (!record) {
        if (reader.broken_off()) break;
        return fail(fmt::format("piece {}, {}", i, record.error().message));
      }
      if (!*record) break;
      ++records;
      if (!first) first = (*record)->at;
      last = (*record)->at;
      const auto* began = std::get_if<core::journal::Began>(&(*record)->event);
      if (began != nullptr && !wall_clock) wall_clock = began->wall_clock_ns;
      replay.play(**record);
      if (core::Pool* const pool = replay.pool((*record)->pool)) {
        for (const core::Decision& decision : pool->take_decisions())
          ++(std::holds_alternative<core::Dispatch>(decision) ? dispatched : rejected);
      }
    }
  }
  const auto requests = core::read_requests(views(pieces));
  if (!requests) return std::unexpected(requests.error());
  std::set<SessionKey> sessions;
  std::uint64_t ended = 0;
  for (const core::RecordedRequest& request : requests->requests) {
    if (request.submission.session) sessions.insert(request.submission.session);
    ended += request.ended ? 1 : 0;
  }
  std::size_t bytes = 0;
  for (const std::string& piece : pieces) bytes += piece.size();
  out["files"] = pieces.size();
  out["bytes"] = bytes;
  out["records"] = records;
  out["gaps"] = requests->gaps;
  if (wall_clock) {
    out["began"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                               fmt::gmtime(static_cast<std::time_t>(*wall_clock / 1'000'000'000)));
    out["seconds"] = to_seconds(last - *first);
  }
  out["requests"] = requests->requests.size();
  out["sessions"] = sessions.size();
  out["ended"] = ended;
  out["replayed"] = {
      {"dispatched", dispatched}, {"rejected", rejected}, {"passed_over", replay.passed_over()}};
  return out;
}

int list_requests(const std::vector<std::string>& pieces) {
  const auto requests = core::read_requests(views(pieces));
  if (!requests) {
    fmt::print(stderr, "{}\n", requests.error().message);
    return 1;
  }
  for (const core::RecordedRequest& request : requests->requests)
    fmt::print("{}\n", describe(request, requests->requests.front().arrival).dump());
  return 0;
}

int run(const Options& options) {
  const auto pieces = telemetry::read_journal(options.path);
  if (!pieces) {
    fmt::print(stderr, "{}\n", pieces.error().message);
    return 1;
  }
  if (options.requests) return list_requests(*pieces);
  const auto summary = summarize(*pieces);
  if (!summary) {
    fmt::print(stderr, "{}\n", summary.error().message);
    return 1;
  }
  fmt::print("{}\n", summary->dump(2));
  return 0;
}

}  // namespace

void add_journal_command(CLI::App& app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command = app.add_subcommand("journal", R"(What a journal of a gateway holds.

Examples:
  turnpike serve --backend http://a:8000 --journal /var/lib/turnpike
  turnpike journal /var/lib/turnpike
  curl -s 127.0.0.1:9901/api/journal >incident.journal && turnpike journal incident.journal --requests

Without --requests: a summary, as JSON. The events are played again under the recorded policy: "passed_over" counts those that did
not fit, because what came before them is missing.)");
  command->add_option("PATH", options->path, "A journal file, or a directory of them")->required();
  command->add_flag("--requests", options->requests,
                    "One JSON line per request instead: when, which session, sizes, how it ended");
  command->callback([options, &exit_code] { exit_code = run(*options); });
}

}  // namespace turnpike::app
