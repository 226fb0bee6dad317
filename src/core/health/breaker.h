#pragma once

#include "base/units.h"
#include "core/health/breaker_params.h"
#include "core/pool/events.h"
#include "core/pool/views.h"

namespace turnpike::core {

// Passive health of one endpoint: opens after consecutive failures, lets one probe through after a while (half-open), closes
// when the probe succeeds, and stays open twice as long when it does not.
class Breaker {
 public:
  // True if this failure opened it.
  bool failure(const BreakerParams& params, FailureKind kind, TimePoint now);
  void success();
  // A request goes out: in half-open it is the probe, and no other follows until it ends.
  void request_sent(TimePoint now);
  // A request ended without saying anything about the endpoint's health.
  void request_ended() { probing_ = false; }

  [[nodiscard]] BreakerState state(TimePoint now) const;
  // Half-open with a probe under way.
  [[nodiscard]] bool probing() const { return probing_; }
  // The last connection attempt was refused.
  [[nodiscard]] bool refuses() const { return refuses_; }
  // When an open breaker becomes half-open.
  [[nodiscard]] TimePoint open_until() const { return open_until_; }

 private:
  int consecutive_ = 0;
  bool tripped_ = false;  // open or half-open
  bool probing_ = false;
  bool refuses_ = false;
  TimePoint open_until_{};
  Duration open_time_{0};
};

}  // namespace turnpike::core
