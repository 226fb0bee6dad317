#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include "base/ids.h"

namespace turnpike::gateway {

// Which endpoint keeps what a later request refers to by an id: an answer of the Responses API, or a conversation. Engines keep
// these in their own memory, so no other endpoint can go on from them. Learned from the answers as they pass; ids of different tenants
// never meet. Bounded: beyond `limit` those that have not been asked for the longest are forgotten, half of the limit at a time at most. Any
// thread; a mutex that is held for one look.
class StoredAnswers {
 public:
  explicit StoredAnswers(std::size_t limit) : half_(limit < 2 ? 1 : limit / 2) {}

  struct Place {
    EndpointId endpoint;
    SessionKey session;  // none: it had none
  };
  // True if nothing was kept at this endpoint before.
  bool put(TenantKey tenant, std::string_view id, const Place& place);
  [[nodiscard]] std::optional<Place> find(TenantKey tenant, std::string_view id);
  void forget(TenantKey tenant, std::string_view id);

  struct Sample {
    std::size_t known = 0;
    std::uint64_t forgotten = 0;  // for want of room
  };
  [[nodiscard]] Sample sample() const;

 private:
  using Places = absl::flat_hash_map<std::uint64_t, Place>;
  void keep(std::uint64_t key, const Place& place);

  const std::size_t half_;
  mutable std::mutex mutex_;
  Places young_;  // put or asked for since the last change of generations
  Places old_;
  absl::flat_hash_set<EndpointId> endpoints_;
  std::uint64_t forgotten_ = 0;
};

}  // namespace turnpike::gateway
