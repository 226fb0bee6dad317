#include <algorithm>

#include "base/hash_chain.h"
#include "sim/trace_parts.h"

// Our own format: a session a line.
//   {"at": 12.5, "tenant": "a", "session": "s1", "shared": "prompt-a", "shared_tokens": 3000,
//    "turns": [{"append": 7000, "output": 180}, {"append": 800, "output": 90, "gap": 0.8, "tool_call": true}]}
namespace turnpike::sim::trace_parts {
namespace {

Expected<Session> session_of(Fields& fields, std::size_t line, std::deque<std::string>& names) {
  Session session;
  session.text = hash_bytes(fields.text("session", std::to_string(line)));
  session.shared_text = hash_bytes(fields.text("shared", ""), 1);
  session.shared = TokenCount(fields.whole("shared_tokens", 0, kMostTokens, 0));
  session.shape = "trace";
  const std::string tenant = fields.text("tenant", "default");
  const auto known = std::ranges::find(names, tenant);
  session.tenant = known != names.end() ? *known : names.emplace_back(tenant);
  const auto* const turns = fields.array("turns");
  if (turns == nullptr || !fields.ok()) return fields.error();
  if (turns->empty()) fields.complain("turns", "is empty");
  for (std::size_t i = 0; i < turns->size() && fields.ok(); ++i) {
    if (!(*turns)[i].is_object()) {
      fields.complain(fmt::format("turns[{}]", i), "must be an object");
      break;
    }
    Fields of_turn = fields.inner((*turns)[i], fmt::format("turns[{}].", i));
    Turn turn{.appended = TokenCount(of_turn.whole("append", 1, kMostTokens)),
              .output = TokenCount(of_turn.whole("output", 1, kMostTokens)),
              .gap = from_seconds(of_turn.number("gap", 0, kMostSeconds, 0))};
    const auto called = (*turns)[i].find("tool_call");
    if (called != (*turns)[i].end()) {
      if (!called->is_boolean()) of_turn.complain("tool_call", "must be true or false");
      turn.calls_tool = *called == true;
    }
    fields.take(of_turn);
    if (i == 0) {
      turn.appended += session.shared;
      turn.gap = Duration(0);
    }
    session.turns.push_back(std::move(turn));
  }
  if (!fields.ok()) return fields.error();
  return session;
}

}  // namespace

Expected<Trace> read_jsonl(std::string_view text) {
  Trace trace;
  Lines lines(text);
  double last = 0;
  while (const auto line = lines.next()) {
    const auto object = object_of(*line, lines.number());
    if (!object) return std::unexpected(object.error());
    Fields fields(*object, lines.number());
    if (object->contains("at")) {
      if (trace.begins.size() != trace.sessions.size()) {
        return bad(lines.number(), "at", "is missing in a line above: all lines have it, or none");
      }
      const double at = fields.number("at", 0, kMostSeconds);
      if (fields.ok() && at < last) {
        return bad(lines.number(), "at", "is before that of the line above");
      }
      last = at;
      trace.begins.push_back(from_seconds(at));
    } else if (!trace.begins.empty()) {
      return bad(lines.number(), "at", "is missing: all lines have it, or none");
    }
    Expected<Session> session = session_of(fields, lines.number(), trace.names);
    if (!session) return std::unexpected(session.error());
    trace.sessions.push_back(*std::move(session));
  }
  trace.span = from_seconds(last + 1);
  return trace;
}

}  // namespace turnpike::sim::trace_parts
