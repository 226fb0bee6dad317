#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/hash_chain.h"
#include "core/admission/adaptive.h"
#include "core/health/breaker.h"
#include "core/ledger/ledger.h"
#include "core/placement/loaded_adapters.h"
#include "core/pool/events.h"
#include "core/pool/moving_mean.h"
#include "core/prefix/prefix_index.h"
#include "core/queue/lane.h"
#include "core/resident/account.h"

namespace turnpike::core {

struct ServingGroup;

// A slot kept free for a session's next turn.
struct Hold {
  SessionKey session;
  TimePoint until;
};

// One endpoint of a pool, as the pool knows it. Its address is stable until its last lease is given back.
struct Endpoint {
  Endpoint(const EndpointSpec& what, std::uint32_t place)
      : spec(what),
        ordinal(place),
        name_hash(hash_bytes(what.name)),
        ledger(what.slots, what.capacity) {}

  EndpointSpec spec;
  const std::uint32_t ordinal;  // in order of addition, for round-robin
  const std::uint64_t name_hash;
  Ledger ledger;
  Breaker breaker;
  bool healthy = true;  // by the active check
  bool draining = false;
  bool removed = false;
  // It said that it was full: nothing more is sent until this time, or until a request there finishes.
  TimePoint sheds_until{};
  AdaptiveLimit adaptive;
  std::vector<Hold> holds;
  std::optional<PrefixIndex> prefixes;  // none: the driver sends no fingerprints, or nobody asks
  LoadedAdapters adapters;

  int programs = 0;                          // under the admission `program`: with a place here
  TokenCount program_tokens;                 // of their places
  std::unique_ptr<ResidentAccount> account;  // of the policy resident-set
  // Seconds, as seen lately: to the first token and between tokens.
  MovingMean ttft{0.0, 0.1};
  MovingMean itl{0.0, 0.1};
  TimePoint up_since{};                     // dispatchable since
  TimePoint slow_since = TimePoint::max();  // far behind its peers since; max: it keeps up

  // Requests for the model are routed here while it is dispatchable.
  [[nodiscard]] bool serves(ModelId model) const {
    return spec.role != Role::prefill && std::ranges::binary_search(spec.models, model);
  }
  // It may get requests for the model, room or not.
  [[nodiscard]] bool can_serve(ModelId model) const { return dispatchable && serves(model); }
  // It may compute prompts for the model's requests, room or not.
  [[nodiscard]] bool can_prefill(ModelId model) const {
    return dispatchable && spec.role == Role::prefill &&
           std::ranges::binary_search(spec.models, model);
  }

  std::uint64_t dispatched = 0;
  std::uint64_t failures = 0;
  std::uint64_t sheds = 0;

  // Kept by the Fleet.
  ServingGroup* group = nullptr;
  Access access = Access::none;
  TokenCount most = kAnySize;  // of a request; see Opening
  bool dispatchable = false;
  bool prefill_room = false;  // for one more prompt, if it is a prefill endpoint
  bool calm = false;          // see Fleet::calm_count
  bool counted = false;       // among the endpoints that are not leaving
  bool counted_well = false;  // and of those, among the well ones
  std::size_t position = 0;   // in its group's list for `access`
  bool noted = false;         // among those that have changed
  std::uint32_t slot = 0;     // a small number of its own, used again when it has gone
  TimePoint wake = TimePoint::max();
};

}  // namespace turnpike::core
