#pragma once

#include <cstdint>
#include <span>

#include "core/placement/candidate.h"
#include "core/placement/placement_params.h"

namespace turnpike::core {

// A scorer's verdict of one candidate where it has none: its weight does not count for that candidate.
inline constexpr double kAbstains = -1.0;

// Fills one score from 0 to 1 (or kAbstains) for each candidate. `subject`: what
// rendezvous hashes, the session, else the request; `request`: what random draws hash.
void score(Scorer scorer, const PlacementParams& params, std::span<const Candidate> candidates,
           std::uint64_t subject, std::uint64_t request, std::span<double> scores);

// How much an endpoint attracts a subject: independent of all other endpoints, so that few subjects move when one comes or goes.
std::uint64_t rendezvous_weight(std::uint64_t subject, std::uint64_t name_hash);

}  // namespace turnpike::core
