#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "base/hash_chain.h"
#include "sim/addresses.h"
#include "sim/simulation.h"

// What a gateway does around its pool, and what it gets to know.
namespace turnpike::sim {
namespace {

// Tokens in a block of the gateway's fingerprint: 1 KiB of text, if a token is 4 bytes.
constexpr double kPrintTokens = 256;

// A prompt as a gateway sees it: text, of which it knows the bytes. Shared text is mistaken alike in all sessions, so that it
// has the same blocks in all of them; here, not at all.
struct Seen {
  TokenCount tokens;
  std::vector<std::uint64_t> blocks;
};
Seen seen_prompt(std::span<const engine::BlockHash> chain, TokenCount prompt, TokenCount shared,
                 double factor) {
  const double common = std::min(prompt, shared).as_double();
  const double length = common + (prompt.as_double() - common) * factor;
  Seen seen{.tokens = TokenCount(std::max(1LL, std::llround(length))), .blocks = {}};
  const auto count = static_cast<std::size_t>(length / kPrintTokens);
  seen.blocks.reserve(count);
  for (std::size_t i = 1; i <= count; ++i) {
    const double bytes = static_cast<double>(i) * kPrintTokens;
    const double token = bytes <= common ? bytes : common + (bytes - common) / factor;
    // The last whole block of the engine's that is inside stands for the text. Chained, as the gateway does it: equal blocks mean
    // equal prefixes, whatever sessions have been mistaken by.
    const auto inside = std::min(chain.size(), static_cast<std::size_t>(token) /
                                                   static_cast<std::size_t>(engine::kBlockTokens));
    const std::uint64_t before = seen.blocks.empty() ? 0 : seen.blocks.back();
    seen.blocks.push_back(chain_hash(before, inside == 0 ? 0 : chain[inside - 1]));
  }
  return seen;
}

}  // namespace

Simulation::Client* Simulation::client_of(RequestId id) {
  const auto found = attempts_.find(id);
  return found == attempts_.end() ? nullptr : found->second;
}

core::Submission Simulation::submission_of(const Client& client) const {
  const Session& session = client.session;
  Seen seen = seen_prompt(client.chain, client.prompt, session.shared, client.guess_factor);
  core::Submission submission;
  submission.id = client.attempt;
  submission.model = kModel;
  if (session.identified) submission.session = SessionKey(mix64(client.key) | 1U);
  if (session.identified && client.root != client.key) {
    submission.parent = SessionKey(mix64(client.root) | 1U);
  }
  submission.tenant = TenantKey(hash_bytes(session.tenant));
  submission.tenant_is_anonymous = session.tenant == "default";
  submission.prompt_tokens = seen.tokens;
  submission.body_bytes = ByteCount(seen.tokens.value() * 4);
  submission.prompt_hash = chain_hash(session.text, client.turn);
  submission.streaming = true;
  submission.blocks = std::move(seen.blocks);
  return submission;
}

void Simulation::submit(Client& client) {
  client.attempt = RequestId(next_request_++);
  client.replica.reset();
  client.request.first_token.reset();
  attempts_.emplace(client.attempt, &client);
  gateways_[client.gateway].pool.submit(submission_of(client), now_);
}

void Simulation::send_directly(Client& client) {
  client.attempt = RequestId(next_request_++);
  client.replica = client.gateway;
  attempts_.emplace(client.attempt, &client);
  queue_.push(now_ + params_.network_delay, EventKind::engine_add, client.attempt.value(),
              *client.replica);
}

void Simulation::first_token(RequestId id) {
  Client* const client = client_of(id);
  if (client == nullptr) return;
  client->request.first_token = now();
  if (!client->foreign) gateways_[client->gateway].pool.first_token(id, now_);
}

void Simulation::answered(RequestId id) {
  Client* const client = client_of(id);
  if (client == nullptr) return;
  attempts_.erase(id);
  client->attempt = {};
  if (!client->foreign) {
    const Turn& turn = client->session.turns[client->turn];
    core::Settlement settlement;
    settlement.usage = {.prompt_tokens = client->prompt,
                        .cached_tokens = client->request.cached,
                        .output_tokens = turn.output};
    settlement.ended_in_tool_call = turn.calls_tool;
    gateways_[client->gateway].pool.settle(id, settlement, now_);
  }
  end_turn(*client, Outcome::finished);
}

// The engine's 400 for a prompt that is too long for it is passed on.
void Simulation::turned_down(RequestId id) {
  Client* const client = client_of(id);
  if (client == nullptr) return;
  attempts_.erase(id);
  client->attempt = {};
  if (!client->foreign) gateways_[client->gateway].pool.settle(id, {}, now_);
  end_turn(*client, Outcome::failed);
}

// The client has gone.
void Simulation::abandon(Client& client) {
  if (client.attempt.is_none()) return;
  const RequestId id = std::exchange(client.attempt, {});
  attempts_.erase(id);
  if (client.foreign) return;
  core::Pool& pool = gateways_[client.gateway].pool;
  if (!pool.cancel(id, now_) && pool.is_dispatched(id)) {
    pool.settle(id, {.ending = core::Ending::cancelled}, now_);
  }
}

void Simulation::sample(std::uint32_t replica, std::uint32_t gateway) {
  Replica& sampled = replicas_[replica];
  sampled.samples.push_back(gauges_of(sampled.engine));
  queue_.push(now_ + params_.lag + 2 * params_.network_delay, EventKind::scraped, gateway, replica);
  queue_.push(now_ + params_.scrape_interval, EventKind::sample, gateway, replica);
}

void Simulation::scraped(std::uint32_t replica, std::uint32_t gateway) {
  // All samples take equally long, so the oldest is the one that was meant.
  std::deque<core::Gauges>& samples = replicas_[replica].samples;
  // How old the gauges were when it asked is nothing a gateway can know.
  gateways_[gateway].pool.observe(endpoint_of(replica), samples.front(),
                                  now_ - 2 * params_.network_delay, now_);
  samples.pop_front();
}

void Simulation::alarm(Gateway& gateway) {
  if (now_ >= gateway.alarm_at) gateway.alarm_at = TimePoint::max();
  gateway.pool.advance(now_);
}

void Simulation::take_decisions() {
  for (std::uint32_t g = 0; g < gateways_.size(); ++g) take_decisions(g);
}

void Simulation::take_decisions(std::uint32_t index) {
  Gateway& gateway = gateways_[index];
  for (const core::Decision& decision : gateway.pool.take_decisions()) {
    if (const auto* const dispatch = std::get_if<core::Dispatch>(&decision)) {
      Client* const client = client_of(dispatch->request);
      assert(client != nullptr);
      client->replica = replica_of(dispatch->endpoint);
      client->request.queued = dispatch->waited;
      queue_.push(now_ + params_.network_delay, EventKind::engine_add, dispatch->request.value(),
                  *client->replica);
    } else {
      const auto& rejection = std::get<core::Rejection>(decision);
      Client* const client = client_of(rejection.request);
      assert(client != nullptr);
      attempts_.erase(rejection.request);
      client->attempt = {};
      client->request.queued = now() - client->request.submitted;
      refused(*client, rejection);
    }
  }
  const std::optional<TimePoint> next = gateway.pool.next_deadline();
  if (!next || *next >= gateway.alarm_at) return;
  gateway.alarm_at = std::max(*next, now_);
  queue_.push(gateway.alarm_at, EventKind::alarm, 0, index);
}

core::Gauges Simulation::gauges_of(const engine::Engine& engine) const {
  const engine::EngineGauges gauges = engine.gauges();
  const double told = params_.workload.conditions.told_capacity;
  core::Gauges seen{.running = static_cast<int>(gauges.running),
                    .waiting = static_cast<int>(gauges.waiting),
                    .kv_usage = gauges.kv_usage(),
                    .kv_capacity = std::nullopt};
  if (told > 0) {
    const double tokens = static_cast<double>(gauges.total_blocks) * engine::kBlockTokens;
    seen.kv_capacity = TokenCount(std::llround(tokens * told));
  }
  return seen;
}

}  // namespace turnpike::sim
