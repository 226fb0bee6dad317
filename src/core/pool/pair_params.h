#pragma once

#include "base/units.h"
#include "core/pool/events.h"

namespace turnpike::core {

// Prompts computed on endpoints of their own, apart from the answers.
struct PairParams {
  HandOver hand_over =
      HandOver::none;  // none: roles of endpoints keep prefill endpoints out, and nothing else
  // An expected uncached suffix below this is computed where the answer is: handing it over would take longer.
  TokenCount remote_prefill_from{2000};

  friend bool operator==(const PairParams&, const PairParams&) = default;
};

}  // namespace turnpike::core
