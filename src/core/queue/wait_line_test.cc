#include "core/queue/wait_line.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <vector>

#include "base/random.h"

namespace turnpike::core {
namespace {

struct Waiter {
  WaitTicket ticket;
  std::uint32_t ahead = 0;
  std::uint32_t overtaken = 0;
};

// A line beside a list that is counted by hand.
class Counted {
 public:
  void enter() {
    if (line.full()) {
      line.start_over();
      for (Waiter& waiter : waiting) line.number_again(waiter.ticket);
      ++restarts;
    }
    waiting.push_back({.ahead = static_cast<std::uint32_t>(waiting.size())});
    line.enter(waiting.back().ticket);
  }
  Waiter leave(std::size_t position, WaitLine::End end = WaitLine::End::dispatched) {
    const auto it = std::next(waiting.begin(), static_cast<std::ptrdiff_t>(position));
    line.leave(it->ticket, end);
    const Waiter gone = *it;
    waiting.erase(it);
    std::size_t i = 0;
    for (Waiter& waiter : waiting) waiter.overtaken += i++ < position ? 1 : 0;
    return gone;
  }

  WaitLine line;
  std::list<Waiter> waiting;
  int restarts = 0;
};

TEST(WaitLine, CountsThoseAheadAndThoseThatPassed) {
  Counted c;
  for (int i = 0; i < 4; ++i) c.enter();
  const Waiter last = c.leave(3);
  EXPECT_EQ(last.ticket.ahead, 3U);
  EXPECT_EQ(last.ticket.fared.still_ahead, 3U);
  EXPECT_EQ(last.ticket.fared.overtaken, 0U);
  const Waiter second = c.leave(1);
  EXPECT_EQ(second.ticket.fared.still_ahead, 1U);
  EXPECT_EQ(second.ticket.fared.overtaken, 1U);
  const Waiter first = c.leave(0);
  EXPECT_EQ(first.ticket.fared.still_ahead, 0U);
  EXPECT_EQ(first.ticket.fared.overtaken, 2U);
}

TEST(WaitLine, WhoGaveUpIsCountedAsAPasserAtMostWhereSomebodyWasDispatched) {
  Counted c;
  for (int i = 0; i < 3; ++i) c.enter();
  c.leave(2, WaitLine::End::gave_up);
  EXPECT_EQ(c.leave(0).ticket.fared.overtaken, 0U);  // nothing was dispatched meanwhile
  c.enter();
  c.leave(1);
  EXPECT_EQ(c.leave(0).ticket.fared.overtaken, 2U);  // one in truth
}

TEST(WaitLine, AgreesWithCountingByHandThroughManyRestarts) {
  Counted c;
  Random random(7);
  for (int i = 0; i < 30'000; ++i) {
    const bool grows = i % 8'000 < 4'000;
    if (c.waiting.empty() || random.below(100) < (grows ? 60U : 40U)) {
      c.enter();
      continue;
    }
    // Often the first, sometimes anybody; one that never goes keeps the earliest number taken.
    const std::size_t last = c.waiting.size() - 1;
    const std::size_t position = random.below(2) == 0 ? (last > 0 ? 1 : 0) : random.below(last + 1);
    const Waiter gone = c.leave(position);
    ASSERT_EQ(gone.ticket.ahead, gone.ahead);
    ASSERT_EQ(gone.ticket.fared.still_ahead, position);
    ASSERT_EQ(gone.ticket.fared.overtaken, gone.overtaken);
    ASSERT_EQ(c.line.size(), c.waiting.size());
  }
  EXPECT_GT(c.restarts, 3);
}

}  // namespace
}  // namespace turnpike::core
