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

// The best of at least one candidate: the highest weighted mean over the scorers that do not abstain; among those within
// params.tie of the best, the least loaded (leases, then backlog); among equals, the most attractive to `subject`. Deterministic,
// and independent of the order of the candidates.
std::size_t choose(const PlacementParams& params, std::span<const Candidate> candidates,
                   std::uint64_t subject, std::uint64_t request, ChoiceScratch& scratch);

}  // namespace turnpike::core
