#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/placement/candidate.h"
#include "core/placement/placement_params.h"

namespace turnpike::core {

// Memory for one decision, kept so that deciding allocates nothing.
struct ChoiceScratch {
  std::vector<double> scores;
  std::vector<double> totals;
  std::vector<double> weights;
};

struct Chosen {
  static constexpr std::size_t kNone = ~std::size_t{0};

  std::size_t best = 0;
  std::size_t runner_up = kNone;  // whom the same rule puts second
  double score = 0;               // weighted means; 0 where there was no choice
  double runner_up_score = 0;
};

// The best of at least one candidate: the highest weighted mean over the scorers that do not abstain; among those within
// params.tie of the best, the least loaded (leases, then backlog); among equals, the most attractive to `subject`. Deterministic,
// and independent of the order of the candidates.
Chosen choose(const PlacementParams& params, std::span<const Candidate> candidates,
              std::uint64_t subject, std::uint64_t request, ChoiceScratch& scratch);

}  // namespace turnpike::core
