#pragma once

#include <chrono>

#include "base/units.h"

namespace turnpike {

// Where time comes from. Drivers own one and pass readings on; nothing below them reads a clock.
class Clock {
 public:
  virtual ~Clock() = default;
  // Any thread.
  [[nodiscard]] virtual TimePoint now() const = 0;
  // How much real time passes while this clock advances by `d`. Timers of drivers sleep this long.
  [[nodiscard]] virtual Duration real(Duration d) const = 0;
};

// The machine's monotonic clock, running `speed` times faster (1: as it is). It starts at zero when it is made.
class ScaledClock final : public Clock {
 public:
  explicit ScaledClock(double speed = 1.0)
      : speed_(speed), start_(std::chrono::steady_clock::now()) {}

  [[nodiscard]] TimePoint now() const override {
    const Duration elapsed = std::chrono::steady_clock::now() - start_;
    return TimePoint(speed_ == 1.0 ? elapsed : from_seconds(to_seconds(elapsed) * speed_));
  }
  [[nodiscard]] Duration real(Duration d) const override {
    return speed_ == 1.0 || d == kForever ? d : from_seconds(to_seconds(d) / speed_);
  }

 private:
  const double speed_;
  const std::chrono::steady_clock::time_point start_;
};

// A clock that stands still until it is moved. Tests and the simulator; one thread.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] Duration real(Duration d) const override { return d; }
  void advance(Duration d) { now_ += d; }
  void set(TimePoint t) { now_ = t; }

 private:
  TimePoint now_{};
};

}  // namespace turnpike
