#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include "core/admission/room.h"
#include "core/pool/request.h"
#include "core/queue/fit_tree.h"
#include "core/queue/order_params.h"
#include "core/queue/overtakes.h"

namespace turnpike::core {

// Who may take the room there is: everybody, or only boosted requests (a slot held by grace with scope `boosted`).
enum class Access : std::uint8_t { none, boosted, all };

// What an endpoint, or the roomiest of several, would take now.
struct Opening {
  Access access = Access::none;
  TokenCount most = kAnySize;  // of a request; see Request::size
  // Where that is a bound for all: boosted requests may be of any size, since another endpoint has a held slot for them.
  bool shares_slot = false;

  [[nodiscard]] TokenCount most_of(bool boosted) const {
    return boosted && shares_slot ? kAnySize : most;
  }
  [[nodiscard]] bool takes(const Request& request) const {
    return request.size <= most_of(request.boosted);
  }
};

// The requests of one tenant that wait for the same endpoints, in the order of their sessions. Where admission counts tokens, one
// that is too large for the room there is is passed by those that fit. Push, erase and first are O(log n). It does not own the
// requests.
class Lane {
 public:
  explicit Lane(const OrderParams& params) : params_(params) {}

  void push(Request& request);
  void erase(Request& request);
  // The same as erase, and it counts as overtaking whoever came earlier. True if there was somebody.
  bool dispatched(Request& request, TimePoint now);
  // It was boosted, or boosted again by a later completion. A boost is never withdrawn.
  void boost(Request& request, std::uint64_t recency);

  struct First {
    Request* request = nullptr;
    Rank rank;  // comparable between lanes of one order
    bool overdue =
        false;  // first because it has been overtaken often enough, or has waited too long
  };
  // The one whose turn is next among those that the opening admits; null if there is none.
  [[nodiscard]] First first(const Opening& opening, TimePoint now) const;

  [[nodiscard]] std::size_t size() const { return boosted_.ranked.size() + others_.ranked.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // All of them in order, at most `limit`, appended.
  void list(std::size_t limit, TimePoint now, std::vector<const Request*>& out) const;
  void all(std::vector<Request*>& out) const;

 private:
  // The keys stand in the trees, so that a search touches no request.
  struct Place {  // a rank; all of a group have the same tier
    std::int64_t value = 0;
    Arrival arrival;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  using ByRank = absl::btree_set<std::pair<Place, Request*>>;
  using ByArrival = absl::btree_set<std::pair<Arrival, Request*>>;
  struct Group {
    ByRank ranked;
    ByArrival by_arrival;      // empty where the rank is the arrival
    FitTree<Request> by_size;  // empty where requests are counted, not tokens

    [[nodiscard]] Request* earliest() const;
    [[nodiscard]] Request* first(TokenCount most) const;
  };

  [[nodiscard]] bool ranked_by_arrival(const Request& request) const;
  [[nodiscard]] int max_overtakes(bool boosted) const;
  [[nodiscard]] Request* overdue(const Group& group, bool boosted, const Opening& opening) const;
  // The earliest arrival whose overtakes are bounded; null if nobody's are.
  [[nodiscard]] const Request* earliest_bounded() const;
  void insert(Request& request);
  void remove(Request& request);
  Group& group_of(const Request& request) { return request.boosted ? boosted_ : others_; }
  void forget_passed();

  [[nodiscard]] bool guards_against_starvation() const;
  // Who has waited too long, if one may go to the front now.
  [[nodiscard]] Request* starving(TimePoint now) const;

  OrderParams params_;
  Group boosted_;
  Group others_;
  Overtakes overtakes_;
  // By the time at which each has waited too long, then by arrival.
  struct Limit {
    TimePoint at{};
    Arrival arrival;
    friend auto operator<=>(const Limit&, const Limit&) = default;
  };
  absl::btree_map<Limit, Request*> starving_;
  int since_rescue_ = 0;  // dispatches since one was moved to the front
};

}  // namespace turnpike::core
