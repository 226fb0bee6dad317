#pragma once

#include <vector>

#include "sim/result.h"

namespace turnpike::sim {

// One run made of several of the same workload and policy under different seeds: each figure is the median of theirs (of an
// even number, the upper of the two in the middle), so figures of one row may be of different runs. Tenants are matched by
// name; those that not every run has are left out. Needs at least one run.
RunResult median_of(const std::vector<RunResult>& runs);

}  // namespace turnpike::sim
