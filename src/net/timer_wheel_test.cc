#include "net/timer_wheel.h"

#include <map>
#include <memory>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace turnpike::net {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;

struct Alarm final : WheelTimer {
  int fired = 0;
  void on_alarm() override { ++fired; }
};

TEST(TimerWheel, FiresNeverEarlyAndAtMostOneTickLate) {
  for (const Duration after :
       {Duration(0), Duration(microseconds(1)), Duration(milliseconds(1)),
        Duration(milliseconds(63)), Duration(milliseconds(64)), Duration(milliseconds(65)),
        Duration(milliseconds(4095)), Duration(milliseconds(4096)), Duration(milliseconds(300'000)),
        Duration(hours(30))}) {
    const TimePoint start(microseconds(123'456'789));
    TimerWheel wheel(start);
    const TimePoint armed_at = start + microseconds(700);
    Alarm alarm;
    wheel.advance(armed_at);
    wheel.arm(alarm, after, armed_at);
    while (alarm.fired == 0) {
      const auto wake = wheel.next_wake_up();
      ASSERT_TRUE(wake);
      wheel.advance(*wake - Duration(1));
      if (alarm.fired == 0) wheel.advance(*wake);
      if (alarm.fired != 0) {
        EXPECT_GE(*wake, armed_at + after);
        EXPECT_LE(*wake,
                  armed_at + std::max<Duration>(after, TimerWheel::kTick) + TimerWheel::kTick);
      }
    }
    EXPECT_FALSE(wheel.next_wake_up());
  }
}

TEST(TimerWheel, DisarmedAndDestroyedTimersDoNotFire) {
  TimerWheel wheel(TimePoint{});
  Alarm disarmed;
  wheel.arm(disarmed, milliseconds(5), TimePoint{});
  auto destroyed = std::make_unique<Alarm>();
  wheel.arm(*destroyed, milliseconds(5), TimePoint{});
  disarmed.unlink();
  destroyed.reset();
  wheel.advance(TimePoint(milliseconds(100)));
  EXPECT_EQ(disarmed.fired, 0);
}

TEST(TimerWheel, RearmingMovesTheAlarm) {
  TimerWheel wheel(TimePoint{});
  Alarm alarm;
  wheel.arm(alarm, milliseconds(5), TimePoint{});
  wheel.arm(alarm, milliseconds(500), TimePoint{});
  wheel.advance(TimePoint(milliseconds(499)));
  EXPECT_EQ(alarm.fired, 0);
  wheel.advance(TimePoint(milliseconds(502)));
  EXPECT_EQ(alarm.fired, 1);
}

RC_GTEST_PROP(TimerWheelProperty, FiresEveryAlarmInItsTickWhateverTheSteps, ()) {
  const auto delays = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5'000'000));
  TimerWheel wheel(TimePoint{});
  std::vector<std::unique_ptr<Alarm>> alarms;
  for (const int delay : delays) {
    alarms.push_back(std::make_unique<Alarm>());
    wheel.arm(*alarms.back(), microseconds(delay), TimePoint{});
  }
  TimePoint now{};
  for (int step = 0; step < 400; ++step) {
    now += milliseconds(*rc::gen::inRange(0, 40));
    wheel.advance(now);
    for (std::size_t i = 0; i < alarms.size(); ++i) {
      if (now < TimePoint(microseconds(delays[i]))) RC_ASSERT(alarms[i]->fired == 0);
      if (now >= TimePoint(microseconds(delays[i])) + 2 * TimerWheel::kTick)
        RC_ASSERT(alarms[i]->fired == 1);
    }
  }
  wheel.advance(TimePoint(milliseconds(6'000)));
  for (const auto& alarm : alarms) RC_ASSERT(alarm->fired == 1);
}

}  // namespace
}  // namespace turnpike::net
