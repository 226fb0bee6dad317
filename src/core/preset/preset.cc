#include "core/preset/preset.h"

#include <array>

namespace turnpike::core {
namespace {

// Requests go out as they come; only the choice of endpoint differs.
PoolParams without_queue(Scorer scorer) {
  PoolParams params;
  params.order.sessions = SessionOrder::fcfs;
  params.admission.rule = AdmissionRule::none;
  params.placement.scorers = {{scorer, 1.0}};
  return params;
}

PoolParams session_boost() {
  return PoolParams{};
}

PoolParams kthena_pr() {
  PoolParams params;
  params.order.boost.among = BoostedFirst::fifo;
  return params;
}

PoolParams resident_set() {
  PoolParams params;
  params.order.sessions = SessionOrder::resident_set;
  params.admission.rule = AdmissionRule::inflight;  // the account decides, not a number of requests
  params.admission.limit = 0;
  params.waits.queue_timeout = std::chrono::minutes(10);
  return params;
}

// A session stays with its endpoint and waits for it; the prompts that run there take at most this share of its cache. Whoever was
// served last goes first, whatever that means to the others: with a bound on overtaking the caches forget whom they served.
PoolParams within_share(double share) {
  PoolParams params;
  params.order.boost.ttl = std::chrono::seconds(300);
  params.order.boost.max_overtakes = 0;
  params.order.boost.unboosted_overtakes_factor = 0;
  params.waits.queue_timeout = std::chrono::minutes(10);
  params.admission = {.rule = AdmissionRule::kv_share, .limit = 0, .kv_share = share};
  params.placement.wait_for_home = true;
  return params;
}
PoolParams gated() {
  return within_share(0.97);
}
PoolParams half() {
  return within_share(0.5);
}
PoolParams third() {
  return within_share(0.35);
}

// The rules of vllm-router's program scheduling: places for sessions, whoever was served last first.
PoolParams program() {
  PoolParams params;
  params.order.boost.ttl = Duration{0};
  params.order.boost.max_sessions = 1'000'000;
  params.order.boost.max_overtakes = 0;
  params.order.boost.unboosted_overtakes_factor = 0;
  params.admission = {.rule = AdmissionRule::program, .limit = 0};
  params.waits.queue_timeout = std::chrono::minutes(10);
  return params;
}

PoolParams fcfs() {
  PoolParams params;
  params.order.sessions = SessionOrder::fcfs;
  return params;
}

PoolParams fair_share() {
  PoolParams params;
  params.order.sessions = SessionOrder::fcfs;
  params.order.tenants = TenantOrder::fair_share;
  params.waits.queue_timeout = std::chrono::seconds(60);
  return params;
}

PoolParams with_order(SessionOrder order) {
  PoolParams params;
  params.order.sessions = order;
  return params;
}

PoolParams critical_path() {
  return with_order(SessionOrder::critical_path);
}
PoolParams las() {
  return with_order(SessionOrder::las);
}
PoolParams turn_priority() {
  return with_order(SessionOrder::turn_priority);
}

// As upstream has it: no limit of its own, and nearly everybody counts as starved.
PoolParams aibrix_critical_path() {
  PoolParams params = critical_path();
  params.admission.rule = AdmissionRule::none;
  params.order.starvation = {
      .ratio = 2.0, .least_service = std::chrono::milliseconds(1), .one_in = 1};
  return params;
}

// The upstream router's rules as faithfully as an outsider can: one gate over the whole pool, order fixed when a request begins to
// wait and without bounds on overtaking, its shipped plugins, and prefixes that are known only once the answer has come.
PoolParams kthena() {
  PoolParams params;
  params.order.boost.max_overtakes = 0;
  params.order.boost.unboosted_overtakes_factor = 0;
  params.order.boost.fixed_at_push = true;
  params.admission.rule = AdmissionRule::pool_gate;
  params.placement.scorers = {
      {Scorer::least_request, 1.0}, {Scorer::least_latency, 1.0}, {Scorer::prefix, 1.0}};
  params.placement.max_waiting = 10;
  params.prefix = {.max_blocks = 8, .learn_at_end = true};  // 1 KiB each
  return params;
}

// Its benchmark's setting of the plugins.
PoolParams kthena_tuned() {
  PoolParams params = kthena();
  params.placement.scorers = {{Scorer::prefix, 1.0}, {Scorer::least_request, 2.0}};
  return params;
}

PoolParams cache_aware() {
  return without_queue(Scorer::cache_aware);
}
PoolParams lmetric() {
  return without_queue(Scorer::lmetric);
}
PoolParams sticky() {
  return without_queue(Scorer::rendezvous);
}
PoolParams least_request() {
  return without_queue(Scorer::least_request);
}
PoolParams round_robin() {
  return without_queue(Scorer::round_robin);
}

struct Preset {
  std::string_view name;
  PoolParams (*make)();
};

constexpr std::array kPresets = {
    Preset{"resident-set", resident_set},
    Preset{"session-boost", session_boost},
    Preset{"fair-share", fair_share},
    Preset{"critical-path", critical_path},
    Preset{"aibrix-critical-path", aibrix_critical_path},
    Preset{"kthena", kthena},
    Preset{"kthena-tuned", kthena_tuned},
    Preset{"las", las},
    Preset{"turn-priority", turn_priority},
    Preset{"lmetric", lmetric},

    Preset{"kthena-pr", kthena_pr},
    Preset{"gated", gated},
    Preset{"half", half},
    Preset{"third", third},
    Preset{"program", program},
    Preset{"fcfs", fcfs},
    Preset{"least-request", least_request},
    Preset{"round-robin", round_robin},
    Preset{"sticky", sticky},
    Preset{"cache-aware", cache_aware},
};

constexpr auto kNames = [] {
  std::array<std::string_view, kPresets.size()> names;
  for (std::size_t i = 0; i < kPresets.size(); ++i) names[i] = kPresets[i].name;
  return names;
}();

}  // namespace

std::optional<PoolParams> preset(std::string_view name) {
  for (const Preset& candidate : kPresets) {
    if (candidate.name != name) continue;
    PoolParams params = candidate.make();
    params.policy = name;
    return params;
  }
  return std::nullopt;
}

std::span<const std::string_view> preset_names() {
  return kNames;
}

}  // namespace turnpike::core
