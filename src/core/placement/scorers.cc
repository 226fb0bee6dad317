#include "core/placement/scorers.h"

#include <algorithm>
#include <cmath>

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

}  // namespace

void score(Scorer scorer, const PlacementParams& params, std::span<const Candidate> candidates,
           std::uint64_t subject, std::span<double> scores) {
  switch (scorer) {
    case Scorer::session:
      score_session(candidates, scores);
      break;
    case Scorer::prefix:
      std::ranges::fill(scores, kAbstains);
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
  }
}

std::uint64_t rendezvous_weight(std::uint64_t subject, std::uint64_t name_hash) {
  return chain_hash(subject, name_hash) | 1U;
}

}  // namespace turnpike::core
