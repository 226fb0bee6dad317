#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/units.h"
#include "core/ledger/sliding_max.h"
#include "core/pool/events.h"

namespace turnpike::core {

class Ledger;

// One request in flight on one endpoint. Taken when the decision is made, before any I/O, so that the next decision sees it;
// given back exactly once, at the latest by the destructor. An empty lease stands for nothing.
class [[nodiscard]] Lease {
 public:
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease();

  [[nodiscard]] explicit operator bool() const { return ledger_ != nullptr; }
  // The prompt is computed: it leaves the backlog. `measured`: the moment was seen on a stream, not assumed, and teaches the
  // endpoint's prefill speed. Only the first call counts.
  void first_token(TimePoint now, bool measured);
  void give_back(TimePoint now);

  [[nodiscard]] TimePoint taken_at() const { return taken_at_; }
  [[nodiscard]] TokenCount uncached() const { return uncached_; }

 private:
  friend class Ledger;
  Lease(Ledger& ledger, TokenCount context, TokenCount uncached, TimePoint now);

  Ledger* ledger_ = nullptr;
  TokenCount context_;
  TokenCount uncached_;
  TimePoint taken_at_{};
  bool in_backlog_ = false;
};

// The exact account of what this gateway has in flight on one endpoint, beside what the endpoint says of itself. Only leases
// change the counts: there is no reaper and no reset. It must outlive its leases and does not move.
class Ledger {
 public:
  Ledger(int configured_slots, TokenCount configured_capacity);
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;
  ~Ledger();

  // `context`: tokens of the whole prompt; `uncached`: those the endpoint will have to compute, as expected.
  Lease take(TokenCount context, TokenCount uncached, TimePoint now);
  // Gauges as they were at `scraped_at`; an older scrape than the last is ignored.
  void observe(const Gauges& gauges, TimePoint scraped_at, TimePoint now);

  [[nodiscard]] int leases() const { return leases_; }
  [[nodiscard]] TokenCount running_tokens() const { return running_tokens_; }
  [[nodiscard]] TokenCount backlog() const { return backlog_; }
  // Own dispatches and settles since the last scrape.
  [[nodiscard]] int dispatched_since_scrape() const { return dispatched_; }
  [[nodiscard]] int settled_since_scrape() const { return settled_; }
  // Requests that were at the endpoint at the last scrape and are not ours.
  [[nodiscard]] int foreign() const { return foreign_; }
  // Their tokens, if their contexts are like ours.
  [[nodiscard]] TokenCount foreign_tokens() const {
    return leases_ == 0 ? TokenCount(0) : TokenCount(running_tokens_.value() * foreign_ / leases_);
  }
  [[nodiscard]] const Gauges& gauges() const { return gauges_; }
  [[nodiscard]] std::optional<TimePoint> scraped_at() const { return scraped_at_; }
  // Configured, else the largest running gauge of the last ten minutes at which requests waited; 0: unknown.
  [[nodiscard]] int slots(TimePoint now) const;
  // Configured, else reported; 0: unknown.
  [[nodiscard]] TokenCount capacity() const;
  // Seconds of prefill per uncached token: the moving mean (weight 0.05) of (first token - the later of dispatch and previous first
  // token there) over that of the uncached tokens, at streamed first tokens of prompts with at least 256 of them. A mean of the
  // ratios would be ruled by short prompts, which wait for a step whatever their length.
  [[nodiscard]] double seconds_per_token() const { return prefill_seconds_ / prefill_tokens_; }
  // Time until a prompt dispatched now would be computed, as far as is known.
  [[nodiscard]] Duration backlog_time() const {
    return from_seconds(backlog_.as_double() * seconds_per_token());
  }

 private:
  friend class Lease;

  struct Movement {
    TimePoint at;
    bool settled = false;
  };

  void leave_backlog(const Lease& lease, TimePoint now, bool measured);
  void give_back(const Lease& lease, TimePoint now);
  void record(TimePoint now, bool settled);

  const int configured_slots_;
  const TokenCount configured_capacity_;
  int leases_ = 0;
  TokenCount running_tokens_;
  TokenCount backlog_;
  Gauges gauges_;
  std::optional<TimePoint> scraped_at_;
  SlidingMax running_while_waiting_;
  int foreign_ = 0;
  // What happened since the last scrape began. Bounded: the oldest are dropped, which a later scrape would do anyway.
  std::deque<Movement> movements_;
  int dispatched_ = 0;
  int settled_ = 0;
  double prefill_tokens_ = 2048;
  double prefill_seconds_ = 2048 * 1e-4;
  TimePoint last_first_token_{};
  TimePoint latest_{};  // the last time heard of, for leases that end by being destroyed
};

}  // namespace turnpike::core
