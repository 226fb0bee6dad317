#pragma once

#include <cstdint>
#include <vector>

namespace turnpike::core {

// One view of which endpoint is best, as a number from 0 to 1.
enum class Scorer : std::uint8_t {
  session,        // the endpoint that holds the session's context
  prefix,         // the share of the prompt's tokens it holds
  least_request,  // fewest leases
  round_robin,    // the next in turn
  rendezvous,     // highest hash of (session, endpoint) among those within the load bound
  least_tokens,   // fewest tokens to compute: this prompt's uncached ones and the backlog
  kv_usage,       // emptiest cache, as reported
  least_latency,  // half time to first token, half time between tokens, as seen lately
  random,         // any, by a hash of the request
  power_of_two,   // the less loaded of two that a hash of the request draws
  lmetric,        // least (uncached + backlog) x (in flight + 1)
  lora,           // the adapter is loaded, or there is a place for it
  cache_aware,  // fewest leases while they are out of balance, else the best match, else the emptiest index (see CacheAwareParams)
};

struct WeightedScorer {
  Scorer scorer = Scorer::least_request;
  double weight = 1.0;

  friend bool operator==(const WeightedScorer&, const WeightedScorer&) = default;
};

// The scorer cache_aware, after SGLang's router.
struct CacheAwareParams {
  int imbalance =
      64;  // out of balance: the most leases of an endpoint exceed the fewest by more than this
  double imbalance_factor = 1.5;  // and by more than this factor
  double least_match = 0.3;       // a smaller part of the prompt that an endpoint holds is no match

  friend bool operator==(const CacheAwareParams&, const CacheAwareParams&) = default;
};

// Which endpoint, among those that have room: the highest weighted mean of the scorers that have an
// opinion.
struct PlacementParams {
  std::vector<WeightedScorer> scorers = {
      {Scorer::session, 3.0}, {Scorer::prefix, 1.0}, {Scorer::least_request, 2.0}};
  // A session's turn goes to its session's endpoint, and waits for it when it is full; a new session's is drawn by rendezvous. Only
  // an endpoint that gets nothing (ill, draining, gone) lets its sessions go elsewhere.
  bool wait_for_home = false;
  int max_waiting = 10;      // endpoints with so many waiting inside the engine come last; 0: off
  double load_bound = 1.25;  // rendezvous: no endpoint above this multiple of the mean load
  CacheAwareParams cache_aware;
  double tie = 0.01;  // scores closer than this are equal, and load decides

  friend bool operator==(const PlacementParams&, const PlacementParams&) = default;
};

}  // namespace turnpike::core
