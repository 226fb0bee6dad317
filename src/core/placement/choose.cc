#include "core/placement/choose.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

#include "core/placement/scorers.h"

namespace turnpike::core {
namespace {

struct Contender {
  double total = 0;
  int leases = 0;
  TokenCount backlog;
  std::uint64_t attraction = 0;

  [[nodiscard]] bool beats(const Contender& other) const {
    if (total != other.total) return total > other.total;
    if (leases != other.leases) return leases < other.leases;
    if (backlog != other.backlog) return backlog < other.backlog;
    return attraction > other.attraction;
  }
};

}  // namespace

Chosen choose(const PlacementParams& params, std::span<const Candidate> candidates,
              std::uint64_t subject, std::uint64_t request, ChoiceScratch& scratch) {
  assert(!candidates.empty());
  if (candidates.size() == 1) return {};
  const std::size_t n = candidates.size();
  scratch.scores.resize(n);
  scratch.totals.assign(n, 0.0);
  scratch.weights.assign(n, 0.0);
  for (const WeightedScorer& weighted : params.scorers) {
    score(weighted.scorer, params, candidates, subject, request, scratch.scores);
    for (std::size_t i = 0; i < n; ++i) {
      if (scratch.scores[i] == kAbstains) continue;
      scratch.totals[i] += weighted.weight * scratch.scores[i];
      scratch.weights[i] += weighted.weight;
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (scratch.weights[i] > 0) scratch.totals[i] /= scratch.weights[i];
    scratch.totals[i] *= candidates[i].confidence;
    // A crowded one comes after all that are not, and is still ranked among its like.
    if (candidates[i].crowded) scratch.totals[i] -= 1.0 + params.tie;
  }

  const double highest = *std::ranges::max_element(scratch.totals);
  const double good_enough = highest - params.tie * std::abs(highest);
  Chosen chosen;
  Contender best;
  Contender second;
  for (std::size_t i = 0; i < n; ++i) {
    const double total = scratch.totals[i];
    // All that are good enough are equal, and load decides.
    const Contender next{.total = total >= good_enough ? highest : total,
                         .leases = candidates[i].leases,
                         .backlog = candidates[i].backlog,
                         .attraction = rendezvous_weight(subject, candidates[i].name_hash)};
    if (i == 0 || next.beats(best)) {
      if (i > 0) chosen.runner_up = chosen.best;
      second = std::exchange(best, next);
      chosen.best = i;
    } else if (chosen.runner_up == Chosen::kNone || next.beats(second)) {
      second = next;
      chosen.runner_up = i;
    }
  }
  chosen.score = scratch.totals[chosen.best];
  chosen.runner_up_score = scratch.totals[chosen.runner_up];
  return chosen;
}

}  // namespace turnpike::core
