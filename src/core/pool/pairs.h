#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/pool/endpoint.h"
#include "core/pool/pair_params.h"
#include "core/pool/request.h"
#include "core/prefix/prefix_params.h"

namespace turnpike::core {

// Which prefill endpoints compute prompts for which decode endpoints: those of the same group, for the models they serve. A decode
// endpoint none of whose prefill endpoints is dispatchable computes its prompts itself, as one without any does. Owns nothing; an
// endpoint is listed while it is a member of the fleet.
class Pairs {
 public:
  void join(Endpoint& endpoint);
  void leave(Endpoint& endpoint);

  // Whether the endpoint hands prompts of the model over: something dispatchable would compute them.
  [[nodiscard]] bool hands_over(const Endpoint& decode, ModelId model) const;
  // Whether prompts of the model, or of any of the endpoint's models, would be handed over, and nobody has room for them.
  [[nodiscard]] bool lacks_prefill(const Endpoint& decode, ModelId model) const;
  [[nodiscard]] bool lacks_prefill(const Endpoint& decode) const;
  // The prefill endpoint with room whose backlog takes least time, drawn by rendezvous among equals; null if none has room. One
  // that failed the request before comes last.
  [[nodiscard]] Endpoint* choose(const Endpoint& decode, const Request& request) const;

  template <typename Visit>
  void for_each_decode(std::uint32_t group, Visit visit) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    for (Endpoint* endpoint : found->second.decode) visit(*endpoint);
  }

 private:
  struct Group {
    std::vector<Endpoint*> prefill;
    std::vector<Endpoint*> decode;
  };

  [[nodiscard]] const std::vector<Endpoint*>& prefill_of(const Endpoint& decode) const;

  std::map<std::uint32_t, Group> groups_;
};

// Tokens of the prompt that the endpoint would have to compute, as far as is known.
TokenCount expected_uncached(const PrefixParams& params, const Request& request,
                             const Endpoint& endpoint);

}  // namespace turnpike::core
