#include <algorithm>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/hash_chain.h"
#include "base/random.h"
#include "sim/trace_parts.h"

// Mooncake's traces: a request a line, with the names of its 512-token blocks. Names mean the same text in the whole file, and the
// trace knows no sessions: a request that begins with all whole blocks of an earlier one is taken for its next turn.
namespace turnpike::sim::trace_parts {
namespace {

constexpr std::int64_t kPiece = 512;
// Of a request that can have a follow-up: a single block may be a system prompt that everybody begins with.
constexpr std::size_t kLeastPieces = 2;

struct Line {
  double at_s = 0;
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::vector<PieceRun> pieces;
  std::vector<std::uint64_t> chain;  // of the whole pieces: names a prefix
};

Expected<Line> line_of(std::string_view text, std::size_t number) {
  const auto object = object_of(text, number);
  if (!object) return std::unexpected(object.error());
  Fields fields(*object, number);
  Line line{.at_s = fields.number("timestamp", 0, kMostSeconds * 1e3) * 1e-3,
            .input = fields.whole("input_length", 1, kMostTokens),
            .output = fields.whole("output_length", 0, kMostTokens),
            .pieces = {},
            .chain = {}};
  if (const auto* const ids = fields.array("hash_ids")) {
    if (static_cast<std::int64_t>(ids->size()) > (line.input + kPiece - 1) / kPiece) {
      fields.complain("hash_ids", "has more blocks than input_length");
    }
    for (const auto& id : *ids) {
      if (!id.is_number_integer() || id.get<std::int64_t>() < 0) {
        fields.complain("hash_ids", "must be whole numbers of at least 0");
        break;
      }
      append(line.pieces, id.get<std::uint64_t>());
    }
  }
  if (!fields.ok()) return fields.error();
  line.output = std::max<std::int64_t>(1, line.output);
  std::uint64_t hash = 0;
  for (const PieceRun& run : line.pieces) {
    for (std::uint32_t i = 0; i < run.count; ++i) {
      if (static_cast<std::int64_t>(line.chain.size()) == line.input / kPiece) break;
      line.chain.push_back(hash = chain_hash(hash, run.first + i));
    }
  }
  return line;
}

}  // namespace

Expected<Trace> read_mooncake(std::string_view text) {
  Trace trace;
  Lines lines(text);
  // Prefixes that end a request's whole pieces, and whose; the longest that a later one begins with tells its session.
  absl::flat_hash_map<std::uint64_t, std::size_t> ends;
  absl::flat_hash_set<std::uint64_t> computed;  // every prefix that some request had
  std::vector<double> began;
  double last = 0;
  while (const auto text_line = lines.next()) {
    const auto line = line_of(*text_line, lines.number());
    if (!line) return std::unexpected(line.error());
    if (line->at_s < last)
      return bad(lines.number(), "timestamp", "is before that of the line above");
    last = line->at_s;

    std::size_t known = 0;
    while (known < line->chain.size() && computed.contains(line->chain[known])) ++known;
    std::size_t owner = trace.sessions.size();
    std::uint64_t end_of_owner = 0;
    for (std::size_t i = line->chain.size(); i >= kLeastPieces && owner == trace.sessions.size();
         --i) {
      const auto found = ends.find(line->chain[i - 1]);
      if (found == ends.end()) continue;
      owner = found->second;
      end_of_owner = found->first;
    }
    if (owner == trace.sessions.size()) {
      Session session;
      session.text = mix64(owner);
      session.tenant = "default";
      session.shape = "trace";
      session.piece_tokens = TokenCount(kPiece);
      trace.sessions.push_back(std::move(session));
      trace.begins.push_back(from_seconds(line->at_s));
      began.push_back(line->at_s);
    } else {
      ends.erase(end_of_owner);  // a second follow-up of the same turn is a session of its own
    }
    Session& session = trace.sessions[owner];
    Turn turn{.appended = TokenCount(line->input), .output = TokenCount(line->output)};
    if (!session.turns.empty()) {
      const std::size_t previous = session.turns.size() - 1;
      turn.appended -= session.prompt_tokens(previous) + session.turns[previous].output;
      const Duration due = from_seconds(line->at_s - began[owner]);
      turn.gap = due - session.turns.back().due.value_or(Duration(0));
    }
    turn.due = from_seconds(line->at_s - began[owner]);
    turn.pieces = line->pieces;
    turn.kept = TokenCount(static_cast<std::int64_t>(known) * kPiece);
    session.turns.push_back(std::move(turn));
    if (!line->chain.empty()) ends[line->chain.back()] = owner;
    for (const std::uint64_t hash : line->chain) computed.insert(hash);
  }
  for (Session& session : trace.sessions) link_turns(session);
  trace.span = from_seconds(last + 1);
  return trace;
}

}  // namespace turnpike::sim::trace_parts
