#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include <absl/container/btree_set.h>
#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/queue/fit_tree.h"
#include "core/queue/rank.h"
#include "core/resident/cache_counters.h"
#include "core/resident/recency_stack.h"

namespace turnpike::core {

struct Request;
struct Session;

// One session in the account of an endpoint.
struct Occupant {
  int running = 0;             // requests
  int waiting = 0;             // requests in the residents' line
  Session* session = nullptr;  // while one of them waits: then it is not forgotten
  TenantKey tenant;
  bool resident = false;  // its context counts although nothing of it runs
  double context = 0;     // own tokens
  TimePoint idle_since{};
  TimePoint until{};  // leaves then, unless a turn of it waits
};

// The account of one endpoint's cache in tokens: what runs there, and which idle sessions keep their place. A session is in it
// while a request of it runs or while it is resident. Changes only through ResidentSet.
struct ResidentAccount {
  double start = 0;  // first capacity, and whether the engine reported it
  bool start_reported = false;
  double capacity = 0;  // C, learned
  CacheCounters counters;
  double worth = 0;    // of finding a context again, in times that computing the whole cache takes
  double backlog = 0;  // seconds of prefill, averaged over 5 s
  double running = 0;  // own tokens of running requests with reserve
  double running_whole = 0;  // the same with shared prefixes
  double resting = 0;        // contexts of resident sessions that do not run
  int turns_past_seat = 0;   // residents' turns since somebody waits for a seat here
  absl::flat_hash_map<SessionKey, Occupant> occupants;
  absl::btree_set<std::pair<TimePoint, SessionKey>> by_idleness;  // resident, nothing running
  RecencyStack stack;
  std::map<Arrival, Request*> residents;  // their waiting turns, first come first served
  FitTree<Request> bound;  // others that wait for this endpoint, because it holds their context

  // Kept by ResidentSet for finding endpoints fast.
  std::uint64_t weighing = 0;  // in which it was considered last
  bool stirred = false;  // something changed here since it was last found that nobody can go here
  double listed_room =
      -1;  // under which it stands in the list of those with room; negative: it does not

  // W, without load that is not ours.
  [[nodiscard]] double used() const { return running + resting; }
};

}  // namespace turnpike::core
