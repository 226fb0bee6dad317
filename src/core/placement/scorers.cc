#include "core/placement/scorers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/hash_chain.h"

namespace turnpike::core {
namespace {

void score_session(std::span<const Candidate> candidates, std::span<double> scores) {
  const bool any = std::ranges::any_of(candidates, &Candidate::bound);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    scores[i] = !any ? kAbstains : candidates[i].bound ? 1.0 : 0.0;
  }
}

void score_least_request(std::span<const Candidate> candidates, std::span<double> scores) {
  const auto [least, most] = std::ranges::minmax(candidates, {}, &Candidate::leases);
  const double range = most.leases - least.leases;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    scores[i] = range > 0 ? (most.leases - candidates[i].leases) / range : 1.0;
  }
}

// Where less is better: (max - x) / (max - min) over the candidates that have a value, 1 if all are equal.
template <typename Value>
void score_least(std::span<const Candidate> candidates, std::span<double> scores, Value value) {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const Candidate& candidate : candidates) {
    const std::optional<double> x = value(candidate);
    if (!x) continue;
    least = std::min(least, *x);
    most = std::max(most, *x);
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::optional<double> x = value(candidates[i]);
    scores[i] = !x ? kAbstains : most > least ? (most - *x) / (most - least) : 1.0;
  }
}

void score_prefix(std::span<const Candidate> candidates, std::span<double> scores) {
  for (std::size_t i = 0; i < candidates.size(); ++i)
    scores[i] = candidates[i].prefix_share.value_or(kAbstains);
}

std::optional<double> tokens_to_compute(const Candidate& c) {
  return (c.uncached + c.backlog).as_double();
}

std::optional<double> lmetric(const Candidate& c) {
  return (c.uncached + c.backlog).as_double() * (c.leases + 1);
}

void score_latency(std::span<const Candidate> candidates, std::span<double> scores) {
  std::vector<double> between(candidates.size());
  score_least(candidates, scores, [](const Candidate& c) { return c.ttft; });
  score_least(candidates, between, [](const Candidate& c) { return c.itl; });
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (between[i] == kAbstains) continue;
    scores[i] = scores[i] == kAbstains ? between[i] : 0.5 * (scores[i] + between[i]);
  }
}

void score_random(std::span<const Candidate> candidates, std::uint64_t request,
                  std::span<double> scores) {
  const auto drawn = std::ranges::max_element(
      candidates, {}, [&](const Candidate& c) { return rendezvous_weight(request, c.name_hash); });
  std::ranges::fill(scores, 0.0);
  scores[static_cast<std::size_t>(drawn - candidates.begin())] = 1.0;
}

// Draws are hashes of names, so that they do not depend on the order of the candidates.
void score_power_of_two(std::span<const Candidate> candidates, std::uint64_t request,
                        std::span<double> scores) {
  std::size_t first = 0;
  std::size_t second = 0;
  std::uint64_t first_weight = 0;
  std::uint64_t second_weight = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::uint64_t weight = rendezvous_weight(request, candidates[i].name_hash);
    if (weight > first_weight) {
      second = std::exchange(first, i);
      second_weight = std::exchange(first_weight, weight);
    } else if (weight > second_weight) {
      second = i;
      second_weight = weight;
    }
  }
  std::ranges::fill(scores, 0.0);
  scores[candidates[second].leases < candidates[first].leases ? second : first] = 1.0;
}

void score_round_robin(std::span<const Candidate> candidates, std::span<double> scores) {
  const auto next = std::ranges::min_element(candidates, {}, &Candidate::turn);
  std::ranges::fill(scores, 0.0);
  scores[static_cast<std::size_t>(next - candidates.begin())] = 1.0;
}

// "Consistent hashing with bounded loads": the most attractive endpoint that would not exceed load_bound x the mean load.
void score_rendezvous(double load_bound, std::span<const Candidate> candidates,
                      std::uint64_t subject, std::span<double> scores) {
  double load = 1.0;  // with this request
  for (const Candidate& candidate : candidates) load += candidate.leases;
  const double limit = std::ceil(load_bound * load / static_cast<double>(candidates.size()));
  const auto attraction = [&](const Candidate& candidate) {
    return candidate.leases + 1 > limit ? 0 : rendezvous_weight(subject, candidate.name_hash);
  };
  const auto best = std::ranges::max_element(candidates, {}, attraction);
  std::ranges::fill(scores, 0.0);
  scores[static_cast<std::size_t>(best - candidates.begin())] = 1.0;
}

void score_cache_aware(const CacheAwareParams& params, std::span<const Candidate> candidates,
                       std::span<double> scores) {
  const auto set = [&](auto is_best) {
    for (std::size_t i = 0; i < candidates.size(); ++i)
      scores[i] = is_best(candidates[i]) ? 1.0 : 0.0;
  };
  const auto [least, most] = std::ranges::minmax(candidates, {}, &Candidate::leases);
  if (most.leases - least.leases > params.imbalance &&
      most.leases > params.imbalance_factor * least.leases) {
    return set([&](const Candidate& c) { return c.leases == least.leases; });
  }
  const double match =
      std::ranges::max(candidates, {}, &Candidate::prefix_share).prefix_share.value_or(0.0);
  if (match > params.least_match)
    return set([&](const Candidate& c) { return c.prefix_share == match; });
  const std::size_t emptiest =
      std::ranges::min(candidates, {}, &Candidate::index_blocks).index_blocks;
  set([&](const Candidate& c) { return c.index_blocks == emptiest; });
}

}  // namespace

void score(Scorer scorer, const PlacementParams& params, std::span<const Candidate> candidates,
           std::uint64_t subject, std::uint64_t request, std::span<double> scores) {
  switch (scorer) {
    case Scorer::session:
      score_session(candidates, scores);
      break;
    case Scorer::prefix:
      score_prefix(candidates, scores);
      break;
    case Scorer::least_request:
      score_least_request(candidates, scores);
      break;
    case Scorer::round_robin:
      score_round_robin(candidates, scores);
      break;
    case Scorer::rendezvous:
      score_rendezvous(params.load_bound, candidates, subject, scores);
      break;
    case Scorer::least_tokens:
      score_least(candidates, scores, tokens_to_compute);
      break;
    case Scorer::kv_usage:
      score_least(candidates, scores, [](const Candidate& c) { return c.kv_usage; });
      break;
    case Scorer::least_latency:
      score_latency(candidates, scores);
      break;
    case Scorer::random:
      score_random(candidates, request, scores);
      break;
    case Scorer::power_of_two:
      score_power_of_two(candidates, request, scores);
      break;
    case Scorer::lmetric:
      score_least(candidates, scores, lmetric);
      break;
    case Scorer::lora:
      for (std::size_t i = 0; i < candidates.size(); ++i)
        scores[i] = candidates[i].adapter.value_or(kAbstains);
      break;
    case Scorer::cache_aware:
      score_cache_aware(params.cache_aware, candidates, scores);
      break;
  }
}

std::uint64_t rendezvous_weight(std::uint64_t subject, std::uint64_t name_hash) {
  return chain_hash(subject, name_hash) | 1U;
}

}  // namespace turnpike::core
