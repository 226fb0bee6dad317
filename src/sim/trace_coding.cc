#include <algorithm>

#include "base/hash_chain.h"
#include "base/random.h"
#include "sim/trace_parts.h"

// Sessions of coding agents, one a line, with the blocks that their prompts begin with. Contexts of real agents are far larger than
// a small engine's cache: so each block of the trace is read as one block of the engine, and tokens are divided alike. Structure and
// hit rates stay what they were.
namespace turnpike::sim::trace_parts {
namespace {

// Names of blocks: a session's own, or those of the tools and the system prompt it begins with, which are other sessions' as well.
struct Names {
  std::uint64_t own = 0;
  std::uint64_t tools = 0;
  std::uint64_t system = 0;
  std::uint64_t tool_blocks = 0;
  std::uint64_t shared_blocks = 0;  // tools and system
};

Names names_of(Fields& fields, std::int64_t block, std::uint64_t scope) {
  const std::int64_t tools = fields.whole("tool_tokens", 0, kMostTokens, 0);
  const std::int64_t system = fields.whole("system_tokens", 0, kMostTokens, 0);
  const std::uint64_t tool_name = chain_hash(0x7001, static_cast<std::uint64_t>(tools));
  return {.own = scope,
          .tools = tool_name,
          .system = chain_hash(tool_name, static_cast<std::uint64_t>(system)),
          .tool_blocks = static_cast<std::uint64_t>(tools / block),
          .shared_blocks = static_cast<std::uint64_t>((tools + system) / block)};
}

std::vector<PieceRun> pieces_of(Fields& fields, const Names& names) {
  std::vector<PieceRun> pieces;
  const auto* const runs = fields.array("h", true);
  if (runs == nullptr) return pieces;
  if (runs->size() % 2 != 0) fields.complain("h", "must be pairs of start and length");
  std::uint64_t place = 0;
  for (std::size_t i = 0; i + 1 < runs->size() && fields.ok(); i += 2) {
    const auto& start = (*runs)[i];
    const auto& length = (*runs)[i + 1];
    if (!start.is_number_unsigned() || !length.is_number_unsigned() ||
        length.get<std::uint64_t>() > kMostPieces - std::min<std::uint64_t>(place, kMostPieces)) {
      fields.complain("h", "must be whole numbers, and not more than 4 million blocks");
      break;
    }
    auto left = length.get<std::uint64_t>();
    std::uint64_t name = names.own + start.get<std::uint64_t>();
    while (left > 0) {
      std::uint64_t taken = left;
      if (place < names.tool_blocks) {
        taken = std::min(left, names.tool_blocks - place);
        append(pieces, names.tools + place, static_cast<std::uint32_t>(taken));
      } else if (place < names.shared_blocks) {
        taken = std::min(left, names.shared_blocks - place);
        append(pieces, names.system + place, static_cast<std::uint32_t>(taken));
      } else {
        append(pieces, name, static_cast<std::uint32_t>(taken));
      }
      place += taken;
      name += taken;
      left -= taken;
    }
  }
  return pieces;
}

class Reader {
 public:
  Expected<Session> session(Fields& fields, const std::string& id, int depth) {
    const std::int64_t block = fields.whole("block_size", engine::kBlockTokens, 4096, block_);
    if (block % engine::kBlockTokens != 0)
      fields.complain("block_size", "must be a multiple of 16");
    block_ = std::max(block, engine::kBlockTokens);
    Session session;
    session.text = hash_bytes(id);
    session.tenant = "default";
    session.shape = depth == 0 ? "agent" : "sub-agent";
    session.piece_tokens = TokenCount(engine::kBlockTokens);
    const Names names = names_of(fields, block_, session.text);
    const auto* const requests = fields.array("requests");
    if (requests == nullptr) return fields.error();
    double pause = 0;  // of sub-agents, which the next request waited for
    for (std::size_t i = 0; i < requests->size(); ++i) {
      Fields request = fields.inner((*requests)[i], fmt::format("requests[{}].", i));
      if (!(*requests)[i].is_object()) {
        fields.complain(fmt::format("requests[{}]", i), "must be an object");
        return fields.error();
      }
      if ((*requests)[i].contains("requests")) {
        if (depth >= kDeepest) request.complain("requests", "is nested too deep");
        Expected<Session> child =
            request.ok() ? this->session(request, fmt::format("{}/{}", id, i), depth + 1)
                         : Expected<Session>(request.error());
        if (!child) return child;
        if (child->turns.empty() || session.turns.empty()) continue;
        session.children.push_back({.after_turn = session.turns.size() - 1,
                                    .delay = Duration(0),
                                    .session = std::make_shared<Session>(*std::move(child))});
        pause = std::max(pause, request.number("duration_ms", 0, kMostSeconds * 1e3, 0) * 1e-3);
        if (!request.ok()) return request.error();
        continue;
      }
      Expected<Turn> turn = this->turn(request, session, names, pause);
      if (!turn) return std::unexpected(turn.error());
      pause = 0;
      session.turns.push_back(*std::move(turn));
    }
    if (!fields.ok()) return fields.error();
    link_turns(session);
    return session;
  }

 private:
  static constexpr int kDeepest = 8;

  Expected<Turn> turn(Fields& request, const Session& session, const Names& names, double pause) {
    const std::int64_t shrink = block_ / engine::kBlockTokens;
    const std::int64_t input = request.whole("in", 0, kMostTokens);
    const std::int64_t output = request.whole("out", 0, kMostTokens);
    const double think = request.number("think_time", 0, kMostSeconds, pause);
    const std::string stop = request.text("stop", "");
    Turn turn{.appended = TokenCount(std::max<std::int64_t>(1, input / shrink)),
              .output = TokenCount(std::max<std::int64_t>(1, output / shrink)),
              .gap = session.turns.empty() ? Duration(0) : from_seconds(think),
              .calls_tool = stop == "tool_use",
              .pieces = pieces_of(request, names)};
    if (!request.ok()) return request.error();
    if (!session.turns.empty()) {
      const std::size_t previous = session.turns.size() - 1;
      turn.appended -= session.prompt_tokens(previous) + session.turns[previous].output;
    }
    return turn;
  }

  std::int64_t block_ = 64;
};

}  // namespace

Expected<Trace> read_coding(std::string_view text) {
  Trace trace;
  Lines lines(text);
  while (const auto line = lines.next()) {
    const auto object = object_of(*line, lines.number());
    if (!object) return std::unexpected(object.error());
    Fields fields(*object, lines.number());
    const std::string id = fields.text("id", std::to_string(lines.number()));
    if (!fields.ok()) return fields.error();
    Expected<Session> session = Reader().session(fields, id, 0);
    if (!session) return std::unexpected(session.error());
    if (!session->turns.empty()) trace.sessions.push_back(*std::move(session));
  }
  return trace;
}

}  // namespace turnpike::sim::trace_parts
