#include "store/session_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/mutex_session_store.h"
#include "store/sharded_session_store.h"

namespace turnpike::store {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Stands still until it is moved, by any thread. What sleeps on it wakes every tenth of a millisecond of real time.
class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return TimePoint(Duration(now_.load())); }
  [[nodiscard]] Duration real(Duration) const override { return microseconds(100); }
  void advance(Duration d) { now_ += d.count(); }

 private:
  std::atomic<Duration::rep> now_{Duration(std::chrono::hours(1)).count()};
};

std::string id_of(int number) {
  return "session-" + std::to_string(number);
}

// Calls work(i) for i in 0..count-1, on as many threads as there are, all at once.
template <typename F>
void concurrently(int count, F work) {
  std::latch start(1);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&start, &work, i] {
      start.wait();
      work(i);
    });
  }
  start.count_down();
}

template <typename Store>
class SessionStoreTest : public testing::Test {
 protected:
  TestClock clock_;
  Store store_{clock_};
};

using Stores = testing::Types<MutexSessionStore, ShardedSessionStore>;
TYPED_TEST_SUITE(SessionStoreTest, Stores);

TYPED_TEST(SessionStoreTest, SerialTurnsAddUp) {
  EXPECT_EQ(this->store_.get_or_create_for_scheduler("s"), SchedulerState{});
  this->store_.update_state("s", Duration(0), seconds(5), seconds(2));
  const SchedulerState inherited = this->store_.get_or_create_for_scheduler("s");
  EXPECT_EQ(inherited, (SchedulerState{seconds(5), seconds(2)}));
  this->store_.update_state("s", inherited.critical_path, seconds(3), seconds(1));
  EXPECT_EQ(this->store_.get_or_create_for_scheduler("s"),
            (SchedulerState{seconds(8), seconds(3)}));
}

template <typename Store>
void expect_longest_of(Store& store, int count) {
  concurrently(count, [&](int i) {
    store.update_state("s", Duration(0), milliseconds(i + 1), milliseconds(10));
  });
  EXPECT_EQ(store.get_or_create_for_scheduler("s"),
            (SchedulerState{milliseconds(count), milliseconds(10) * count}));
}

TYPED_TEST(SessionStoreTest, AHundredParallelCallsContributeTheLongestAndAllWaits) {
  expect_longest_of(this->store_, 100);
}

// A thousand threads would test the machine: ten with a hundred calls each.
TYPED_TEST(SessionStoreTest, AThousandParallelCallsContributeTheLongestAndAllWaits) {
  concurrently(10, [&](int thread) {
    for (int i = 0; i < 100; ++i)
      this->store_.update_state("s", Duration(0), milliseconds(thread * 100 + i + 1),
                                milliseconds(10));
  });
  EXPECT_EQ(this->store_.get_or_create_for_scheduler("s"),
            (SchedulerState{milliseconds(1000), milliseconds(10'000)}));
}

TYPED_TEST(SessionStoreTest, TenConcurrentAffinitiesLeaveOneOfThem) {
  concurrently(10, [&](int i) {
    this->store_.update_affinity("s", EndpointId(static_cast<std::uint32_t>(i)));
  });
  const auto state = this->store_.get("s");
  ASSERT_TRUE(state.has_value());
  EXPECT_LT(state->endpoint.value(), 10U);
}

TYPED_TEST(SessionStoreTest, AnUnknownIdGivesNothingAndIsNotMade) {
  EXPECT_FALSE(this->store_.get("nobody").has_value());
  EXPECT_EQ(this->store_.size(), 0U);
}

TYPED_TEST(SessionStoreTest, SessionsAreIsolated) {
  const std::vector<int> lengths = {5, 10, 3};
  concurrently(3, [&](int i) {
    this->store_.update_state(id_of(i), Duration(0), seconds(lengths[static_cast<std::size_t>(i)]),
                              Duration(0));
  });
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(this->store_.get(id_of(i))->critical_path,
              seconds(lengths[static_cast<std::size_t>(i)]));
  }
}

TYPED_TEST(SessionStoreTest, GivesACopyWithEverything) {
  this->store_.update_state("s", seconds(1), seconds(2), seconds(3));
  this->store_.update_affinity("s", EndpointId(7));
  const auto state = this->store_.get("s");
  this->store_.update_affinity("s", EndpointId(8));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->id, "s");
  EXPECT_EQ(state->critical_path, seconds(3));
  EXPECT_EQ(state->total_wait, seconds(3));
  EXPECT_EQ(state->endpoint, EndpointId(7));
  EXPECT_EQ(state->last_activity, this->clock_.now());
}

TYPED_TEST(SessionStoreTest, AnUpdateThatComesAfterTheSessionWasForgottenMakesItAnew) {
  this->store_.update_state("s", seconds(9), seconds(1), seconds(4));
  EXPECT_EQ(this->store_.get_or_create_for_scheduler("s"),
            (SchedulerState{seconds(10), seconds(4)}));
}

TYPED_TEST(SessionStoreTest, CreationAndUpdatesAreActivityButReadingIsNot) {
  const TimePoint created = this->clock_.now();
  this->store_.get_or_create_for_scheduler("s");
  this->clock_.advance(seconds(1));
  this->store_.get_or_create_for_scheduler("s");
  this->store_.get("s");
  EXPECT_EQ(this->store_.get("s")->last_activity, created);
  this->store_.update_state("s", Duration(0), Duration(0), Duration(0));
  EXPECT_EQ(this->store_.get("s")->last_activity, created + seconds(1));
  this->clock_.advance(seconds(1));
  this->store_.update_affinity("s", EndpointId(1));
  EXPECT_EQ(this->store_.get("s")->last_activity, created + seconds(2));
}

TYPED_TEST(SessionStoreTest, IdleMeansStrictlyLonger) {
  this->store_.get_or_create_for_scheduler("s");
  this->clock_.advance(seconds(2));
  EXPECT_EQ(this->store_.remove_idle(seconds(2), 10), 0U);
  this->clock_.advance(Duration(1));
  EXPECT_EQ(this->store_.remove_idle(seconds(2), 10), 1U);
  EXPECT_EQ(this->store_.size(), 0U);
}

TYPED_TEST(SessionStoreTest, RemovesInBoundedSteps) {
  for (int i = 0; i < 1'000; ++i) this->store_.get_or_create_for_scheduler(id_of(i));
  this->clock_.advance(seconds(10));
  std::size_t left = 1'000;
  while (const std::size_t removed = this->store_.remove_idle(seconds(1), 64)) {
    EXPECT_LE(removed, 64U);
    left -= removed;
  }
  EXPECT_EQ(left, 0U);
}

// Returns when `done` says so; the suite's own time limit is the only one.
template <typename F>
void wait_until(F done) {
  while (!done()) std::this_thread::yield();
}

TYPED_TEST(SessionStoreTest, CleanUpAtOneAndAHalfSecondsDropsTheOldAndKeepsTheFresh) {
  this->store_.get_or_create_for_scheduler("old");
  this->clock_.advance(seconds(2));
  this->store_.get_or_create_for_scheduler("fresh");
  Cleanup cleanup = this->store_.start_cleanup(seconds(1), milliseconds(1'500));
  wait_until([&] { return !this->store_.get("old"); });
  EXPECT_TRUE(this->store_.get("fresh").has_value());
}

TYPED_TEST(SessionStoreTest, ASessionThatComesAfterTheCleanUpSurvives) {
  this->store_.get_or_create_for_scheduler("old");
  Cleanup cleanup = this->store_.start_cleanup(milliseconds(10), milliseconds(50));
  this->clock_.advance(milliseconds(51));
  wait_until([&] { return this->store_.size() == 0; });
  this->store_.get_or_create_for_scheduler("late");
  cleanup.stop();
  EXPECT_TRUE(this->store_.get("late").has_value());
}

TYPED_TEST(SessionStoreTest, StoppingACleanUpIsIdempotent) {
  Cleanup cleanup = this->store_.start_cleanup(seconds(1), seconds(1));
  concurrently(4, [&](int) { cleanup.stop(); });
  cleanup.stop();
  this->store_.get_or_create_for_scheduler("s");
  this->clock_.advance(seconds(5));
  EXPECT_TRUE(this->store_.get("s").has_value());
}

TYPED_TEST(SessionStoreTest, AThreadReadsItsOwnWrites) {
  concurrently(8, [&](int thread) {
    for (int i = 1; i <= 500; ++i) {
      // Others write to the same shards meanwhile.
      this->store_.update_state(id_of(thread), Duration(0), milliseconds(i), Duration(0));
      this->store_.update_affinity(id_of(thread), EndpointId(static_cast<std::uint32_t>(i)));
      const auto state = this->store_.get(id_of(thread));
      ASSERT_TRUE(state.has_value());
      ASSERT_EQ(state->critical_path, milliseconds(i));
      ASSERT_EQ(state->endpoint, EndpointId(static_cast<std::uint32_t>(i)));
    }
  });
}

TYPED_TEST(SessionStoreTest, CloseAgainstEightWriters) {
  constexpr std::uint64_t kEach = 2'000;
  std::atomic<std::uint64_t> sent{0};
  concurrently(10, [&](int thread) {
    if (thread >= 8) {  // two that close, somewhere in the middle
      wait_until([&] { return sent.load() >= kEach; });
      this->store_.close();
      EXPECT_EQ(this->store_.size(), 0U);
      return;
    }
    for (std::uint64_t i = 0; i < kEach; ++i) {
      this->store_.update_state(id_of(static_cast<int>(i % 50)), Duration(0), seconds(1),
                                Duration(0));
      ++sent;
    }
  });
  EXPECT_EQ(this->store_.size(), 0U);
  EXPECT_LE(this->store_.dropped(), 8 * kEach - kEach);
  const std::uint64_t before = this->store_.dropped();
  this->store_.update_state("s", Duration(0), seconds(1), Duration(0));
  this->store_.update_affinity("s", EndpointId(1));
  EXPECT_EQ(this->store_.dropped(), before + 2);
  EXPECT_EQ(this->store_.get_or_create_for_scheduler("s"), SchedulerState{});
  EXPECT_FALSE(this->store_.get("s").has_value());
  this->store_.close();
}

TYPED_TEST(SessionStoreTest, ForgetsTheLeastRecentlyWrittenBeyondItsCapacity) {
  TypeParam small(this->clock_, 512);
  for (int i = 0; i < 20'000; ++i) small.get_or_create_for_scheduler(id_of(i));
  EXPECT_LE(small.size(), 512U);
  EXPECT_TRUE(small.get(id_of(19'999)).has_value());
  EXPECT_FALSE(small.get(id_of(0)).has_value());
}

TEST(ShardedSessionStore, AFullMailboxBlocksTheSenderAndLosesNothing) {
  TestClock clock;
  ShardedSessionStore store(clock);
  std::latch occupied(1);
  std::latch release(1);
  std::jthread busy([&] {
    store.occupy("s", [&] {
      occupied.count_down();
      release.wait();
    });
  });
  occupied.wait();
  for (int i = 0; i < 128; ++i) store.update_state("s", Duration(0), seconds(1), seconds(1));
  EXPECT_EQ(store.waiting("s"), 128U);
  std::atomic<bool> sent = false;
  std::jthread late([&] {
    store.update_state("s", Duration(0), seconds(1), seconds(1));
    sent = true;
  });
  for (int i = 0; i < 1'000; ++i) {
    std::this_thread::yield();
    ASSERT_EQ(store.waiting("s"), 128U);
  }
  EXPECT_FALSE(sent);
  release.count_down();
  late.join();
  EXPECT_EQ(store.get("s")->total_wait, seconds(129));
}

TEST(ShardedSessionStore, ClosingFreesASenderThatWaitsForRoom) {
  TestClock clock;
  ShardedSessionStore store(clock);
  std::latch occupied(1);
  std::latch release(1);
  std::jthread busy([&] {
    store.occupy("s", [&] {
      occupied.count_down();
      release.wait();
    });
  });
  occupied.wait();
  for (int i = 0; i < 128; ++i) store.update_state("s", Duration(0), seconds(1), seconds(1));
  std::jthread late([&] { store.update_state("s", Duration(0), seconds(1), seconds(1)); });
  std::jthread closing([&] { store.close(); });
  late.join();  // dropped while the actor is still busy
  EXPECT_EQ(store.dropped(), 1U);
  release.count_down();
  closing.join();
  EXPECT_EQ(store.size(), 0U);
}

}  // namespace
}  // namespace turnpike::store
