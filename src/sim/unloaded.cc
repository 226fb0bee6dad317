#include "sim/unloaded.h"

#include <algorithm>

#include "engine/kv_cache.h"

namespace turnpike::sim {

Unloaded unloaded_request(const engine::Profile& profile, TokenCount prompt, TokenCount cached,
                          TokenCount output, std::int64_t budget) {
  Unloaded time;
  for (std::int64_t at = cached.value(); at < prompt.value();) {
    const std::int64_t chunk = std::min(budget, prompt.value() - at);
    engine::StepLoad load;
    load.add_prefill(at, chunk);
    time.first_token += engine::step_time(profile, load);
    at += chunk;
  }
  // Step i of n - 1 decodes reads prompt + i tokens: without the context all steps cost the same.
  const auto steps = output.as_double() - 1;
  engine::StepLoad one;
  one.add_decode(0);
  const double attention_ms =
      profile.decode_attention_ms * (steps * prompt.as_double() + steps * (steps - 1) / 2);
  time.total = time.first_token + from_seconds(to_seconds(engine::step_time(profile, one)) * steps +
                                               attention_ms * 1e-3);
  return time;
}

Duration unloaded_session(const engine::Profile& profile, const Session& session) {
  Duration total{};
  TokenCount known = session.shared;
  TokenCount prompt;
  for (const Turn& turn : session.turns) {
    prompt += turn.appended;
    if (turn.kept) known = *turn.kept;
    const std::int64_t findable = std::min(known.value(), prompt.value() - 1);
    const TokenCount cached(std::max<std::int64_t>(0, findable) / engine::kBlockTokens *
                            engine::kBlockTokens);
    total += turn.gap + unloaded_request(profile, prompt, cached, turn.output).total;
    prompt += turn.output;
    known = prompt - TokenCount(1);  // the last token of an answer is never computed
  }
  return total;
}

}  // namespace turnpike::sim
