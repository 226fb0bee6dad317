#include "core/pool/history_test_support.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "base/hash_chain.h"
#include "core/admission/room.h"
#include "core/journal/journal_writer.h"

namespace turnpike::core {
namespace {

constexpr std::uint32_t kModels = 3;
constexpr std::uint32_t kSessions = 12;
constexpr std::size_t kMaxReplicas = 6;

std::vector<ModelId> models_of(std::uint32_t choice) {
  std::vector<ModelId> models;
  for (std::uint32_t model = 0; model < kModels; ++model) {
    if ((choice >> model & 1U) != 0) models.emplace_back(model);
  }
  if (models.empty()) models.emplace_back(choice % kModels);
  return models;
}

// Prompts that share beginnings.
std::vector<std::uint64_t> blocks_of(std::uint32_t choice) {
  std::vector<std::uint64_t> blocks;
  for (std::uint64_t i = 0; choice % 3 != 0 && i < choice / 17 % 12; ++i) {
    blocks.push_back(chain_hash(blocks.empty() ? 1 : blocks.back(), i < 4 ? i : choice % 29 + i));
  }
  return blocks;
}

}  // namespace

Step random_step(Random& random) {
  return {.event = static_cast<std::uint8_t>(random.below(256)),
          .choice = static_cast<std::uint32_t>(random.next()),
          .pause_us = random.below(4) == 0 ? static_cast<std::uint32_t>(random.below(400'000)) : 0};
}

History::History(const PoolParams& params, JournalWriter* journal)
    : params_(params), journal_(journal), pool_(params) {
  if (journal_ != nullptr) {
    journal_->begin_segment(now_, 0);
    pool_.record_to(*journal_, pools_++, now_);
  }
  add_endpoint(7);
  add_endpoint(3);
}

void History::play(const Step& step) {
  if (!fault_.empty()) return;
  advance_to(now_ + std::chrono::microseconds(step.pause_us));
  const std::uint32_t choice = step.choice;
  const unsigned event = step.event;
  if (event < 96) {
    submit(choice);
  } else if (event < 176) {
    settle(choice);
  } else if (event < 190) {
    fail(choice);
  } else if (event < 205) {
    const RequestId id = pick(Phase::running, choice);
    if (id) {
      prefill_ended(id);
      pool_.first_token(id, now_);
    }
  } else if (event < 215) {
    const RequestId id = pick(choice % 3 == 0 ? Phase::running : Phase::queued, choice);
    const bool queued = id && active_.at(id).phase == Phase::queued;
    if (id && pool_.cancel(id, now_) != queued) wrong("cancel() did not say whether it was queued");
    if (queued) active_.erase(id);
  } else if (event < 235) {
    observe(choice);
  } else if (event < 238) {
    add_endpoint(choice);
  } else if (event < 240) {
    const EndpointId id = pick_endpoint(choice);
    if (id && replicas_.size() > 1) {
      replicas_.at(id).removed = true;
      pool_.remove_endpoint(id, now_);
    }
  } else if (event < 244) {
    if (const EndpointId id = pick_endpoint(choice)) {
      replicas_.at(id).draining = (choice & 1U) != 0;
      pool_.set_draining(id, (choice & 1U) != 0, now_);
    }
  } else if (event < 248) {
    if (const EndpointId id = pick_endpoint(choice)) {
      replicas_.at(id).healthy = (choice & 1U) != 0;
      pool_.set_healthy(id, (choice & 1U) != 0, now_);
    }
  } else if (event < 250) {
    if (const EndpointId id = pick_endpoint(choice)) {
      replicas_.at(id).models = models_of(choice >> 3U);
      pool_.set_models(id, replicas_.at(id).models, now_);
    }
  } else if (event < 252) {
    pool_.end_session(SessionKey(choice % kSessions), now_);
  } else if (event == 252) {
    if (choice % 2 == 0) {
      pool_.set_policy(params_, now_);
    } else if (const EndpointId id = pick_endpoint(choice)) {
      pool_.forget_cache(id, now_);
    }
  } else if (event == 253) {
    Pool other(params_);
    if (journal_ != nullptr) other.record_to(*journal_, pools_++, now_);
    const EndpointId id(++endpoints_added_);
    replicas_[id] = {.models = models_of(choice)};
    other.add_endpoint(
        {.id = id, .name = "e" + std::to_string(id.value()), .models = models_of(choice)}, now_);
    std::swap(other, pool_);
    submit(choice);
    std::swap(other, pool_);
    pool_.absorb(std::move(other), now_);
  } else {
    advance_to(now_ + std::chrono::seconds(choice % 7));
  }
  take_decisions();
}

void History::finish() {
  for (auto& [id, replica] : replicas_) {
    if (replica.removed) continue;
    replica.draining = false;
    replica.healthy = true;
    pool_.set_draining(id, false, now_);
    pool_.set_healthy(id, true, now_);
  }
  add_endpoint(7, true);
  take_decisions();
  for (int round = 0; round < 100'000 && !active_.empty() && fault_.empty(); ++round) {
    if (const RequestId id = pick(Phase::running, static_cast<std::uint32_t>(round))) {
      pool_.settle(id, {}, now_);
      prefill_ended(id);
      --replicas_.at(active_.at(id).endpoint).running;
      active_.erase(id);
    } else if (const auto deadline = pool_.next_deadline()) {
      advance_to(std::max(now_, *deadline));
    } else {
      wrong("requests wait, and the pool waits for nothing");
    }
    take_decisions();
  }
  if (!fault_.empty()) return;
  const PoolView end = pool_.view(now_);
  if (!active_.empty()) wrong("requests never end");
  if (end.queued + end.in_flight + end.leases != 0) wrong("counters do not return to zero");
  if (end.queued_bytes != ByteCount(0) || end.queued_tokens != TokenCount(0))
    wrong("sizes do not return to zero");
  for (const EndpointView& endpoint : pool_.endpoints(now_)) {
    if (endpoint.running_tokens + endpoint.backlog_tokens != TokenCount(0))
      wrong("an account does not return to zero");
  }
}

void History::submit(std::uint32_t choice) {
  const RequestId id(++submitted_);
  const ModelId model(choice % kModels);
  const std::uint32_t session = choice / 7 % (2 * kSessions);  // half of them have none
  active_[id] = {.endpoint = {},
                 .prefill = {},
                 .model = model,
                 .prompt = TokenCount(choice % 3000),
                 .streaming = choice % 2 == 0};
  pool_.submit(
      {.id = id,
       .model = model,
       .session =
           session < kSessions ? SessionKey(session * kModels + model.value()) : SessionKey::none(),
       .tenant = TenantKey(choice / 11 % 4),
       .tenant_is_anonymous = choice / 11 % 4 == 0,
       .prompt_tokens = TokenCount(choice % 3000),
       .body_bytes = ByteCount(choice % 12'000),
       .streaming = choice % 2 == 0,
       .tenant_weight = 1.0 + choice % 3,
       .priority = static_cast<int>(choice / 13 % 3),
       .deadline =
           choice % 5 == 0 ? std::optional(now_ + std::chrono::seconds(choice % 17)) : std::nullopt,
       // Another session, known or not.
       .parent = choice / 19 % 4 == 0 ? SessionKey(choice / 23 % (2 * kSessions) * kModels)
                                      : SessionKey::none(),
       .blocks = blocks_of(choice)},
      now_);
}

void History::settle(std::uint32_t choice) {
  const RequestId id = pick(Phase::running, choice);
  if (id.is_none()) return;
  const auto ending = static_cast<Ending>(choice / 8 % 16 < 13 ? 0 : choice / 8 % 16 - 13);
  prefill_ended(id);
  --replicas_.at(active_.at(id).endpoint).running;
  active_.erase(id);
  pool_.settle(id,
               {.ending = ending,
                .usage = {.prompt_tokens = TokenCount(choice % 3000),
                          .cached_tokens = {},
                          .output_tokens = TokenCount(100)}},
               now_);
}

void History::fail(std::uint32_t choice) {
  const RequestId id = pick(Phase::running, choice);
  if (id.is_none()) return;
  Known& request = active_.at(id);
  prefill_ended(id);
  --replicas_.at(request.endpoint).running;
  request.phase = Phase::queued;
  request.first_attempt_waits = false;
  pool_.failed(id, static_cast<FailureKind>(choice % 4), now_,
               static_cast<FailedPart>(choice / 16 % 2));
}

void History::observe(std::uint32_t choice) {
  const EndpointId id = pick_endpoint(choice);
  if (id.is_none()) return;
  pool_.observe(id,
                {.running = replicas_.at(id).running + static_cast<int>(choice / 2 % 3),
                 .waiting = static_cast<int>(choice / 8 % 8 == 0 ? choice / 64 % 3 : 0),
                 .kv_usage = {},
                 .kv_capacity = {}},
                now_ - std::chrono::microseconds(choice % 100'000), now_);
}

// Where prompts are handed over, every second endpoint is a decode one, and every third a prefill one, in two groups. Plain ones
// can end everything.
void History::add_endpoint(std::uint32_t choice, bool plain) {
  const auto live =
      std::ranges::count_if(replicas_, [](const auto& entry) { return !entry.second.removed; });
  if (static_cast<std::size_t>(live) >= kMaxReplicas && choice != 7) return;
  const EndpointId id(++endpoints_added_);
  Role role = Role::both;
  if (!plain && params_.pairs.hand_over != HandOver::none) {
    constexpr Role kRoles[] = {Role::both, Role::decode, Role::prefill, Role::decode};
    role = kRoles[id.value() % 4];
  }
  replicas_[id] = {.models = models_of(choice), .role = role};
  pool_.add_endpoint({.id = id,
                      .name = "e" + std::to_string(id.value()),
                      .models = models_of(choice),
                      .slots = static_cast<int>(choice / 16 % 2 * 4),
                      .role = role,
                      .group = id.value() % 16 < 12 ? 0U : 1U},
                     now_);
}

void History::take_decisions() {
  for (const Decision& decision : pool_.take_decisions()) {
    decisions_.push_back(decision);
    if (const auto* dispatch = std::get_if<Dispatch>(&decision)) {
      took(*dispatch);
      continue;
    }
    const auto& rejection = std::get<Rejection>(decision);
    digest_ = chain_hash(digest_, chain_hash(rejection.request.value(),
                                             static_cast<std::uint64_t>(rejection.reason)));
    const auto found = active_.find(rejection.request);
    if (found == active_.end() || found->second.phase != Phase::queued)
      return wrong("rejected what does not wait");
    if (rejection.retry_after < Duration{0}) wrong("a negative Retry-After");
    active_.erase(found);
  }
  std::erase_if(replicas_, [](const auto& entry) {
    return entry.second.removed && entry.second.running == 0;
  });
  if (const std::string broken = pool_.broken_invariant(now_); !broken.empty()) wrong(broken);
}

void History::took(const Dispatch& dispatch) {
  ++dispatches_;
  digest_ = chain_hash(digest_, chain_hash(dispatch.request.value(), dispatch.endpoint.value()));
  const auto found = active_.find(dispatch.request);
  if (found == active_.end() || found->second.phase != Phase::queued)
    return wrong("dispatched what does not wait");
  Known& request = found->second;
  Replica& replica = replicas_.at(dispatch.endpoint);
  if (replica.draining || replica.removed || !replica.healthy)
    wrong("dispatched to an endpoint that must get nothing");
  if (!std::ranges::binary_search(replica.models, request.model))
    wrong("dispatched to an endpoint that does not serve it");
  if (replica.role == Role::prefill) wrong("dispatched to a prefill endpoint");
  if (dispatch.prefill) took_prefill(dispatch, request);
  request.phase = Phase::running;
  request.endpoint = dispatch.endpoint;
  ++replica.running;
  if (params_.admission.limit > 0 && params_.admission.rule != AdmissionRule::none &&
      params_.admission.rule != AdmissionRule::pool_gate &&
      replica.running > params_.admission.limit) {
    wrong("an endpoint is above its limit");
  }
  if (dispatch.attempt != ++request.attempts) wrong("attempts are miscounted");
  if (request.attempts > 1 + params_.retry.more_attempts) wrong("tried too often");
  if (!request.first_attempt_waits) return;
  request.first_attempt_waits = false;

  const int bound =
      params_.order.boost.max_overtakes * params_.order.boost.unboosted_overtakes_factor;
  const bool bounded =
      params_.order.sessions == SessionOrder::session_boost &&
      params_.order.tenants == TenantOrder::none && !params_.placement.wait_for_home &&
      params_.pairs.hand_over == HandOver::none && !counts_tokens(params_.admission.rule);
  if (!bounded || params_.grace.period > Duration{0} || bound == 0) return;
  for (auto& [id, other] : active_) {
    if (id >= dispatch.request) break;
    if (other.model != request.model || !other.first_attempt_waits) continue;
    if (++other.overtaken > bound) wrong("overtaken too often");
  }
}

void History::took_prefill(const Dispatch& dispatch, Known& request) {
  ++pairs_;
  digest_ = chain_hash(digest_, dispatch.prefill.value());
  Replica& replica = replicas_.at(dispatch.prefill);
  if (replica.role != Role::prefill || replicas_.at(dispatch.endpoint).role != Role::decode)
    wrong("a pair of endpoints that are none");
  if (dispatch.hand_over != params_.pairs.hand_over) wrong("a pair without a way to hand over");
  if (replica.draining || replica.removed || !replica.healthy)
    wrong("a prefill endpoint that must get nothing");
  if (!std::ranges::binary_search(replica.models, request.model))
    wrong("a prefill endpoint that does not serve it");
  if (request.prompt < params_.pairs.remote_prefill_from) wrong("a short prompt is handed over");
  if (!request.streaming) return;  // when it ends is only assumed
  request.prefill = dispatch.prefill;
  ++replica.prefills;
  const bool limited = params_.admission.limit > 0 && has_slots(params_.admission.rule);
  if (limited && replica.prefills > params_.admission.limit)
    wrong("a prefill endpoint is above its limit");
}

void History::prefill_ended(RequestId id) {
  Known& request = active_.at(id);
  const auto replica = replicas_.find(std::exchange(request.prefill, EndpointId::none()));
  if (replica != replicas_.end()) --replica->second.prefills;
}

void History::advance_to(TimePoint t) {
  while (fault_.empty()) {
    const auto deadline = pool_.next_deadline();
    if (!deadline || *deadline > t) break;
    now_ = std::max(now_, *deadline);
    pool_.advance(now_);
    take_decisions();
    const auto next = pool_.next_deadline();
    if (next && *next <= now_) wrong("advance() leaves a deadline that is due");
  }
  now_ = std::max(now_, t);
}

void History::wrong(const std::string& what) {
  if (fault_.empty()) fault_ = what;
}

RequestId History::pick(Phase phase, std::uint32_t choice) const {
  std::vector<RequestId> candidates;
  for (const auto& [id, request] : active_) {
    if (request.phase == phase) candidates.push_back(id);
  }
  return candidates.empty() ? RequestId::none() : candidates[choice % candidates.size()];
}

EndpointId History::pick_endpoint(std::uint32_t choice) const {
  std::vector<EndpointId> candidates;
  for (const auto& [id, replica] : replicas_) {
    if (!replica.removed) candidates.push_back(id);
  }
  return candidates.empty() ? EndpointId::none() : candidates[choice / 3 % candidates.size()];
}

}  // namespace turnpike::core
