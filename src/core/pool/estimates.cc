#include <algorithm>

#include "core/pool/state.h"

namespace turnpike::core {
namespace {

std::span<const std::uint64_t> counted(const PrefixParams& params, const Request& request) {
  const std::span<const std::uint64_t> blocks(request.submission.blocks);
  const std::size_t count =
      params.max_blocks == 0 ? blocks.size() : std::min(blocks.size(), params.max_blocks);
  return blocks.first(count);
}

}  // namespace

std::span<const std::uint64_t> Pool::State::counted_blocks(const Request& request) const {
  return counted(params.prefix, request);
}

// What an endpoint would have to compute of the prompt. With a fingerprint: what follows the part it probably holds; without one:
// all but the session's context, where that was built last.
TokenCount expected_uncached(const PrefixParams& params, const Request& request,
                             const Endpoint& endpoint) {
  const TokenCount prompt = request.submission.prompt_tokens;
  const Session* session = request.session;
  const bool bound = session != nullptr && session->endpoint == endpoint.spec.id;
  const TokenCount context = bound ? session->context_tokens : TokenCount(0);
  if (request.submission.blocks.empty() || !endpoint.prefixes)
    return prompt - std::min(prompt, context);

  const std::size_t held = endpoint.prefixes->held(counted(params, request));
  const auto blocks = static_cast<std::int64_t>(request.submission.blocks.size());
  const TokenCount known(prompt.value() * static_cast<std::int64_t>(held) / blocks);
  // If it holds the whole prompt of the last turn, it holds the answer too.
  const bool whole = bound && session->chain_blocks > 0 && held >= session->chain_blocks;
  return prompt - std::min(prompt, whole ? std::max(known, context) : known);
}

TokenCount Pool::State::uncached(const Request& request, const Endpoint& endpoint) const {
  return expected_uncached(params.prefix, request, endpoint);
}

// Over the endpoints: what is left of it where most is held, or at its session's.
TokenCount Pool::State::least_uncached(const Request& request) const {
  const TokenCount prompt = request.submission.prompt_tokens;
  const Endpoint* bound =
      request.session == nullptr ? nullptr : fleet.find(request.session->endpoint);
  const TokenCount there = bound == nullptr || bound->removed ? prompt : uncached(request, *bound);
  const auto blocks = counted_blocks(request);
  if (blocks.empty()) return there;
  const auto held = static_cast<std::int64_t>(fleet.prefix_holders().longest(blocks));
  const auto all = static_cast<std::int64_t>(request.submission.blocks.size());
  return std::min(there, prompt - TokenCount(prompt.value() * held / all));
}

// Holds what the index expected against what the answer said.
void Pool::State::correct_prefixes(const Request& request, Endpoint& endpoint,
                                   const Settlement& settlement) const {
  if (request.submission.blocks.empty()) return;
  if (params.prefix.learn_at_end && settlement.ending == Ending::finished) {
    endpoint.prefixes->learn(counted_blocks(request), request.submission.owner,
                             request.submission.prompt_tokens.as_double());
  }
  if (!settlement.usage.cached_tokens || request.running->prefix_used == 0) return;
  const TokenCount expected = request.submission.prompt_tokens - request.running->uncached;
  if (*settlement.usage.cached_tokens * 2 < expected)
    endpoint.prefixes->lost(request.running->prefix_used);
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
  if (resident) {
    if (const auto drain = resident->drain_time(now)) return *drain;
  }
  return predicted_wait(queue.load().tokens, now).value_or(Duration{0});
}

}  // namespace turnpike::core
