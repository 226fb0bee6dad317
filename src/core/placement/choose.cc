#include "core/placement/choose.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/placement/scorers.h"

namespace turnpike::core {

std::size_t choose(const PlacementParams& params, std::span<const Candidate> candidates,
                   std::uint64_t subject, std::uint64_t request, ChoiceScratch& scratch) {
  assert(!candidates.empty());
  if (candidates.size() == 1) return 0;
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
  std::size_t best = n;
  const auto better = [&](const Candidate& a, const Candidate& b) {
    if (a.leases != b.leases) return a.leases < b.leases;
    if (a.backlog != b.backlog) return a.backlog < b.backlog;
    return rendezvous_weight(subject, a.name_hash) > rendezvous_weight(subject, b.name_hash);
  };
  for (std::size_t i = 0; i < n; ++i) {
    if (scratch.totals[i] < good_enough) continue;
    if (best == n || better(candidates[i], candidates[best])) best = i;
  }
  return best;
}

}  // namespace turnpike::core
