#include <algorithm>

#include "core/pool/state.h"

namespace turnpike::core {

// What an endpoint would have to compute of the prompt: all of it, but for the session's context where that was built last.
TokenCount Pool::State::uncached(const Request& request, const Endpoint& endpoint) {
  const TokenCount prompt = request.submission.prompt_tokens;
  const Session* session = request.session;
  if (session == nullptr || session->endpoint != endpoint.spec.id) return prompt;
  return prompt - std::min(prompt, session->context_tokens);
}

// Until `ahead` tokens of prompts have been dispatched at the rate of the last minute; nothing while there is no rate.
std::optional<Duration> Pool::State::predicted_wait(TokenCount ahead, TimePoint now) const {
  const double rate = dispatched_tokens.per_second(now);
  if (rate <= 0) return std::nullopt;
  constexpr double kLongest = 24 * 3600.0;
  return from_seconds(std::min(kLongest, ahead.as_double() / rate));
}

Duration Pool::State::retry_after(RejectReason reason, TimePoint now) const {
  if (reason == RejectReason::no_endpoint || reason == RejectReason::unknown_model)
    return params.waits.no_endpoint_wait;
  return predicted_wait(queue.load().tokens, now).value_or(Duration{0});
}

}  // namespace turnpike::core
