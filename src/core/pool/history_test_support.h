#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "core/pool/pool.h"

namespace turnpike::core {

// One event of a random history, before it is known what it applies to.
struct Step {
  std::uint8_t event = 0;
  std::uint32_t choice = 0;
  std::uint32_t pause_us = 0;
};

Step random_step(Random& random);

// Plays random events on a pool and holds what comes out against a model of its own: every request ends exactly once, nothing is
// sent to an endpoint that must not get it, no limit is exceeded, nobody is overtaken more often than promised, and the pool's
// books balance after every event.
class History {
 public:
  // `journal`: where the events are recorded, or nowhere.
  explicit History(const PoolParams& params, JournalWriter* journal = nullptr);

  void play(const Step& step);
  // Makes everything well and lets every request end; nothing may be left over.
  void finish();

  // What is wrong; empty if nothing is. Nothing more is played after the first fault.
  [[nodiscard]] const std::string& fault() const { return fault_; }
  // All that was decided, in order.
  [[nodiscard]] const std::vector<Decision>& decisions() const { return decisions_; }
  [[nodiscard]] TimePoint now() const { return now_; }
  // A hash of all decisions, for comparing runs.
  [[nodiscard]] std::uint64_t digest() const { return digest_; }
  [[nodiscard]] std::uint64_t dispatches() const { return dispatches_; }
  // Of those, the ones whose prompt another endpoint computes.
  [[nodiscard]] std::uint64_t pairs() const { return pairs_; }
  [[nodiscard]] PoolView view() const { return pool_.view(now_); }

 private:
  enum class Phase : std::uint8_t { queued, running };
  struct Known {
    Phase phase = Phase::queued;
    EndpointId endpoint;
    EndpointId prefill;  // holds a lease there, as far as is known outside
    ModelId model;
    TokenCount prompt;
    bool streaming = false;
    int attempts = 0;
    int overtaken = 0;
    bool first_attempt_waits = true;
  };
  struct Replica {
    std::vector<ModelId> models;
    bool draining = false;
    bool healthy = true;
    bool removed = false;
    int running = 0;
    Role role = Role::both;
    int prefills = 0;  // of streamed requests
  };

  void submit(std::uint32_t choice);
  void settle(std::uint32_t choice);
  void fail(std::uint32_t choice);
  void observe(std::uint32_t choice);
  void add_endpoint(std::uint32_t choice, bool plain = false);
  void prefill_ended(RequestId id);
  void took_prefill(const Dispatch& dispatch, Known& request);
  void take_decisions();
  void took(const Dispatch& dispatch);
  void advance_to(TimePoint t);
  void wrong(const std::string& what);
  RequestId pick(Phase phase, std::uint32_t choice) const;
  EndpointId pick_endpoint(std::uint32_t choice) const;

  PoolParams params_;
  JournalWriter* journal_;
  std::uint32_t pools_ = 0;
  Pool pool_;
  TimePoint now_{std::chrono::hours(1)};
  std::map<RequestId, Known> active_;
  std::map<EndpointId, Replica> replicas_;
  std::uint64_t submitted_ = 0;
  std::uint32_t endpoints_added_ = 0;
  std::uint64_t dispatches_ = 0;
  std::uint64_t pairs_ = 0;
  std::uint64_t digest_ = 0;
  std::vector<Decision> decisions_;
  std::string fault_;
};

}  // namespace turnpike::core
