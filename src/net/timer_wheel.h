#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/intrusive_list.h"
#include "base/units.h"

namespace turnpike::net {

// One alarm. It belongs to whoever waits for it and leaves its wheel when it dies.
class WheelTimer : public ListNode<> {
 public:
  // Called by the wheel, on its thread, once per arming, never before the time asked for and at most one tick after it.
  virtual void on_alarm() = 0;

 protected:
  WheelTimer() = default;
  ~WheelTimer() = default;

 private:
  friend class TimerWheel;
  std::uint64_t tick_ = 0;
};

// Alarms in a hierarchy of five wheels of 64 slots, one tick a millisecond: arming, disarming and firing are O(1), whatever the
// number of timers, and arming touches nothing but the timer and one slot. Driven from outside: time is passed in. One thread.
// Longest alarm: 64^5 ms, about 12 days; longer ones fire then.
class TimerWheel {
 public:
  static constexpr Duration kTick = std::chrono::milliseconds(1);

  explicit TimerWheel(TimePoint start);

  // Arms `timer` to fire `after` from `now`; an armed one is moved.
  void arm(WheelTimer& timer, Duration after, TimePoint now);
  // Fires everything that is due.
  void advance(TimePoint now);
  // A time at or before the next alarm: the driver may sleep until then. Nothing is armed: none.
  [[nodiscard]] std::optional<TimePoint> next_wake_up() const;

 private:
  static constexpr int kLevels = 5;
  static constexpr int kBits = 6;
  static constexpr std::uint64_t kSlots = 1U << kBits;

  void place(WheelTimer& timer);
  void cascade(int level);
  [[nodiscard]] std::uint64_t tick_of(TimePoint t) const;

  TimePoint start_;
  std::uint64_t now_tick_ = 0;  // everything at or before it has fired
  std::array<std::array<IntrusiveList<WheelTimer>, kSlots>, kLevels> slots_;
  // A set bit: the slot may hold timers (it is cleared when the slot is next visited).
  std::array<std::uint64_t, kLevels> occupied_{};
};

}  // namespace turnpike::net
