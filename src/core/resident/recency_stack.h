#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"

namespace turnpike::core {

// The sessions of one endpoint with their tokens, most recently used first, also those long gone: what an LRU cache of any size
// would hold. Bounded in tokens; the oldest leave. touch() and above() are O(log n) amortised: places are slots of a growing
// array under a Fenwick tree, squeezed when it is full.
class RecencyStack {
 public:
  // Puts the session on top with this many tokens.
  void touch(SessionKey session, TokenCount tokens);
  // Tokens of the sessions used more recently; nothing for one that is not there.
  [[nodiscard]] std::optional<TokenCount> above(SessionKey session) const;
  // Tokens it was last used with; nothing for one that is not there.
  [[nodiscard]] std::optional<TokenCount> tokens(SessionKey session) const;
  void forget(SessionKey session);
  void bound(TokenCount depth);
  void clear();
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  [[nodiscard]] TokenCount total() const { return total_; }

 private:
  struct Entry {
    SessionKey session;
    std::int64_t tokens = 0;
  };

  void add(std::size_t place, std::int64_t tokens);
  [[nodiscard]] std::int64_t sum_to(std::size_t place) const;
  void remove(std::size_t place);
  void squeeze();

  absl::flat_hash_map<SessionKey, std::size_t> places_;
  std::vector<Entry> entries_;         // by time of use; none() where the session was used again
  std::vector<std::int64_t> sums_{0};  // Fenwick tree, from 1
  std::size_t oldest_ = 0;
  TokenCount total_;
};

}  // namespace turnpike::core
