#pragma once

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "base/intrusive_list.h"
#include "base/units.h"
#include "net/fd.h"
#include "net/task.h"
#include "net/timer_wheel.h"

namespace turnpike::net {

class Reactor;

// What a task waits for: "something changed, look again". Sources set a flag of their own and notify; the one waiting task
// looks at all flags. Notifying never runs the task at once: the reactor resumes it after the current batch of events, so a
// source may be destroyed by the task it woke. A notification without a waiter is kept (one). The reactor's thread only.
class Signal : public ListNode<> {
 public:
  explicit Signal(Reactor& reactor) : reactor_(reactor) {}

  void notify();

  auto wait() {
    struct Awaiter {
      Signal& signal;
      [[nodiscard]] bool await_ready() const noexcept { return std::exchange(signal.set_, false); }
      void await_suspend(std::coroutine_handle<> handle) const noexcept { signal.waiter_ = handle; }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this};
  }

  [[nodiscard]] Reactor& reactor() const { return reactor_; }

 private:
  friend class Reactor;
  Reactor& reactor_;
  std::coroutine_handle<> waiter_;
  bool set_ = false;
};

// A time limit for whoever waits on `signal`: when it passes, `expired()` turns true and the signal is notified.
class Deadline final : public WheelTimer {
 public:
  explicit Deadline(Signal& signal) : signal_(&signal) {}

  void arm(Duration after);  // kForever: disarms
  void disarm() {
    unlink();
    expired_ = false;
  }
  [[nodiscard]] bool expired() const { return expired_; }
  void on_alarm() override {
    expired_ = true;
    signal_->notify();
  }

 private:
  Signal* signal_;
  bool expired_ = false;
};

// Something with a file descriptor that the reactor watches, edge-triggered. `on_ready` gets the epoll bits; it only sets
// flags and notifies.
class EventSource {
 public:
  virtual void on_ready(std::uint32_t events) = 0;

 protected:
  ~EventSource() = default;
};

// Counts tasks that must end before their surroundings may go. The reactor's thread only.
class Gate {
 public:
  explicit Gate(Reactor& reactor) : changed_(reactor) {}
  [[nodiscard]] std::size_t count() const { return count_; }
  // Ends when no task holds the gate any more. One waiter.
  Task<void> drained();

 private:
  friend class Reactor;
  std::size_t count_ = 0;
  Signal changed_;
};

// One thread's event loop: an epoll set (edge-triggered, one registration per descriptor for its whole life), a timer wheel, a
// list of signals to resume, and a mailbox for other threads. A turn of the loop: resume what was notified, wait for events,
// hand them to their sources, fire timers, take the mailbox.
//
// Everything but post(), stop() and now_steady() belongs to the thread that calls run().
class Reactor {
 public:
  Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  // Runs until stop(). Tasks that have not ended by then are abandoned, so callers drain their gates first.
  void run();
  // Any thread, and signal handlers of the same process.
  void stop();
  // Runs `work` on the reactor's thread, in the order of posting. Any thread. Unbounded: post what is bounded elsewhere.
  void post(std::move_only_function<void()> work);

  // Starts `task` at once and lets it run by itself, holding `gate`. An exception that leaves it is counted and reported to
  // on_task_failure.
  void spawn(Gate& gate, Task<void> task);

  // Monotonic time as of this turn of the loop.
  [[nodiscard]] TimePoint now() const { return now_; }
  static TimePoint now_steady();

  void watch(int fd, EventSource& source);
  void unwatch(int fd);  // before the descriptor is closed

  // From now(), which is as old as this turn: a long turn makes an alarm early by its length.
  void arm(WheelTimer& timer, Duration after) { wheel_.arm(timer, after, now_); }
  Task<void> sleep(Duration real);

  // What happens to an exception that leaves a spawned task. Set before run().
  std::move_only_function<void(std::exception_ptr)> on_task_failure;
  [[nodiscard]] std::uint64_t failed_tasks() const { return failed_tasks_; }

 private:
  friend class Signal;
  struct Detached;
  Detached run_detached(Gate& gate, Task<void> task);
  void resume_ready();
  void take_mailbox();
  void wake();

  class Waker final : public EventSource {
   public:
    void on_ready(std::uint32_t) override {}
  };

  Fd epoll_;
  Fd wake_fd_;
  Waker waker_;
  TimePoint now_;
  TimerWheel wheel_;
  IntrusiveList<Signal> ready_;
  std::uint64_t failed_tasks_ = 0;
  std::atomic<bool> stopping_{false};

  std::mutex mailbox_mutex_;
  std::vector<std::move_only_function<void()>> mailbox_;
  std::atomic<bool> mailbox_filled_{false};
};

inline void Signal::notify() {
  if (!waiter_) {
    set_ = true;
  } else if (!linked()) {
    reactor_.ready_.push_back(*this);
  }
}

}  // namespace turnpike::net
