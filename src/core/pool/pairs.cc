#include "core/pool/pairs.h"

#include <algorithm>
#include <cassert>
#include <tuple>

#include "core/placement/scorers.h"
#include "core/pool/state.h"
#include "core/session/session.h"

namespace turnpike::core {

void Pairs::join(Endpoint& endpoint) {
  if (endpoint.spec.role == Role::both) return;
  Group& group = groups_[endpoint.spec.group];
  (endpoint.spec.role == Role::prefill ? group.prefill : group.decode).push_back(&endpoint);
}

void Pairs::leave(Endpoint& endpoint) {
  const auto group = groups_.find(endpoint.spec.group);
  if (group == groups_.end()) return;
  std::erase(group->second.prefill, &endpoint);
  std::erase(group->second.decode, &endpoint);
  if (group->second.prefill.empty() && group->second.decode.empty()) groups_.erase(group);
}

const std::vector<Endpoint*>& Pairs::prefill_of(const Endpoint& decode) const {
  static const std::vector<Endpoint*> kNobody;
  if (decode.spec.role != Role::decode) return kNobody;
  const auto group = groups_.find(decode.spec.group);
  return group == groups_.end() ? kNobody : group->second.prefill;
}

bool Pairs::hands_over(const Endpoint& decode, ModelId model) const {
  return std::ranges::any_of(prefill_of(decode),
                             [&](const Endpoint* e) { return e->can_prefill(model); });
}

bool Pairs::lacks_prefill(const Endpoint& decode, ModelId model) const {
  bool any = false;
  for (const Endpoint* e : prefill_of(decode)) {
    if (!e->can_prefill(model)) continue;
    if (e->prefill_room) return false;
    any = true;
  }
  return any;
}

bool Pairs::lacks_prefill(const Endpoint& decode) const {
  return !prefill_of(decode).empty() && std::ranges::any_of(decode.spec.models, [&](ModelId model) {
    return lacks_prefill(decode, model);
  });
}

Endpoint* Pairs::choose(const Endpoint& decode, const Request& request) const {
  const std::uint64_t subject =
      request.session == nullptr ? request.submission.id.value() : request.session->key.value();
  Endpoint* best = nullptr;
  const auto cost = [&](const Endpoint& e) {
    return std::tuple(request.is_retry() && e.spec.id == request.failures->prefill,
                      e.ledger.backlog_time(), ~rendezvous_weight(subject, e.name_hash), e.spec.id);
  };
  for (Endpoint* e : prefill_of(decode)) {
    if (!e->can_prefill(request.submission.model) || !e->prefill_room) continue;
    if (best == nullptr || cost(*e) < cost(*best)) best = e;
  }
  return best;
}

bool Pool::State::hands_over(const Request& request, const Endpoint& endpoint) const {
  return params.pairs.hand_over != HandOver::none &&
         fleet.pairs().hands_over(endpoint, request.submission.model) &&
         uncached(request, endpoint) >= params.pairs.remote_prefill_from;
}

// Both leases of a pair, or the one of an endpoint that computes the prompt itself.
void Pool::State::take_leases(Request& request, Endpoint& endpoint, TokenCount uncached,
                              TimePoint now) {
  RunningPart& running = *request.running;
  running.endpoint = &endpoint;
  running.uncached = uncached;
  const bool elsewhere = hands_over(request, endpoint);
  running.prefill = elsewhere ? fleet.pairs().choose(endpoint, request) : nullptr;
  assert(running.prefill != nullptr || !elsewhere);
  const TokenCount context = request.submission.prompt_tokens;
  if (running.prefill == nullptr) {
    running.lease = endpoint.ledger.take(context, uncached, now);
    return;
  }
  running.lease = endpoint.ledger.take(context, TokenCount(0), now);
  running.prefill_lease = running.prefill->ledger.take(TokenCount(0), uncached, now);
  ++running.prefill->dispatched;
  running.prefill->breaker.request_sent(now);
  fleet.refresh(*running.prefill, now);
}

// The prompt is computed, or will not be. True if that made room.
bool Pool::State::end_prefill(RunningPart& running, TimePoint now, Prompt computed) {
  Endpoint* prefill = std::exchange(running.prefill, nullptr);
  if (prefill == nullptr) return false;
  if (computed == Prompt::seen) running.prefill_lease.first_token(now, true);
  computed == Prompt::unknown ? prefill->breaker.request_ended() : prefill->breaker.success();
  running.prefill_lease.give_back(now);
  fleet.refresh(*prefill, now);
  fleet.bury(*prefill);
  return true;
}

}  // namespace turnpike::core
