#pragma once

#include "base/units.h"
#include "engine/profile.h"
#include "sim/workload.h"

namespace turnpike::sim {

// What a request takes on a replica that serves nothing else and has the first `cached` tokens of its prompt: the time to
// the first token, and to the last. Closed form of the engine model with one sequence.
struct Unloaded {
  Duration first_token{};
  Duration total{};
};
Unloaded unloaded_request(const engine::Profile& profile, TokenCount prompt, TokenCount cached,
                          TokenCount output, std::int64_t budget = 2048);

// A whole session on a replica of its own, pauses included; only its shared prefix is cached at the start.
Duration unloaded_session(const engine::Profile& profile, const Session& session);

}  // namespace turnpike::sim
