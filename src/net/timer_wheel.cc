#include "net/timer_wheel.h"

#include <algorithm>
#include <bit>

namespace turnpike::net {

TimerWheel::TimerWheel(TimePoint start) : start_(start) {}

std::uint64_t TimerWheel::tick_of(TimePoint t) const {
  return t <= start_ ? 0 : static_cast<std::uint64_t>((t - start_) / kTick);
}

void TimerWheel::arm(WheelTimer& timer, Duration after, TimePoint now) {
  timer.unlink();
  constexpr auto longest = (std::uint64_t{1} << (kLevels * kBits)) - 1;
  // Rounded up past the current, partly elapsed tick, so that no alarm is early.
  const Duration into_tick = (now - start_) % kTick;
  const Duration wait =
      std::clamp(after, Duration(0), kTick * static_cast<std::int64_t>(longest - 1));
  const auto ticks = static_cast<std::uint64_t>((wait + into_tick + kTick - Duration(1)) / kTick);
  timer.tick_ = std::max(tick_of(now) + std::max<std::uint64_t>(ticks, 1), now_tick_ + 1);
  timer.tick_ = std::min(timer.tick_, now_tick_ + longest);
  place(timer);
}

void TimerWheel::place(WheelTimer& timer) {
  const std::uint64_t distance = timer.tick_ - now_tick_;
  const int level =
      std::min((static_cast<int>(std::bit_width(distance | 1U)) - 1) / kBits, kLevels - 1);
  const std::uint64_t slot = (timer.tick_ >> (level * kBits)) & (kSlots - 1);
  slots_[level][slot].push_back(timer);
  occupied_[level] |= std::uint64_t{1} << slot;
}

void TimerWheel::cascade(int level) {
  const std::uint64_t slot = (now_tick_ >> (level * kBits)) & (kSlots - 1);
  if (slot == 0 && level + 1 < kLevels) cascade(level + 1);
  occupied_[level] &= ~(std::uint64_t{1} << slot);
  IntrusiveList<WheelTimer> moving;
  moving.splice_back(slots_[level][slot]);
  while (!moving.empty()) place(moving.pop_front());
}

void TimerWheel::advance(TimePoint now) {
  const std::uint64_t target = tick_of(now);
  while (now_tick_ < target) {
    // Skip ticks at which nothing can happen: neither a slot of the lowest wheel nor a turn of it.
    const auto wake = next_wake_up();
    if (!wake || tick_of(*wake) > target) {
      now_tick_ = target;
      break;
    }
    now_tick_ = std::max(now_tick_ + 1, tick_of(*wake));
    const std::uint64_t slot = now_tick_ & (kSlots - 1);
    if (slot == 0) cascade(1);
    occupied_[0] &= ~(std::uint64_t{1} << slot);
    IntrusiveList<WheelTimer> due;
    due.splice_back(slots_[0][slot]);
    while (!due.empty()) {
      WheelTimer& timer = due.pop_front();
      // A slot holds only one turn's ticks, so whatever is in it is due.
      timer.on_alarm();
    }
  }
}

std::optional<TimePoint> TimerWheel::next_wake_up() const {
  std::optional<std::uint64_t> next;
  for (int level = 0; level < kLevels; ++level) {
    if (occupied_[level] == 0) continue;
    const int shift = level * kBits;
    const std::uint64_t position = (now_tick_ >> shift) & (kSlots - 1);
    // Slots are met in the order position+1, position+2, ..., position (a whole turn later).
    const std::uint64_t rotated =
        std::rotr(occupied_[level], static_cast<int>((position + 1) & (kSlots - 1)));
    const std::uint64_t steps = static_cast<std::uint64_t>(std::countr_zero(rotated)) + 1;
    const std::uint64_t tick = ((now_tick_ >> shift) + steps) << shift;
    if (!next || tick < *next) next = tick;
  }
  if (!next) return std::nullopt;
  return start_ + kTick * static_cast<std::int64_t>(*next);
}

}  // namespace turnpike::net
