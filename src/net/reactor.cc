#include "net/reactor.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace turnpike::net {

namespace {

constexpr int kEventsPerTurn = 256;

int check(int result, const char* what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return result;
}

}  // namespace

// A coroutine nobody awaits: it frees itself when it ends.
struct Reactor::Detached {
  struct promise_type {
    Detached get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }  // run_detached catches all
  };
};

TimePoint Reactor::now_steady() {
  return TimePoint(std::chrono::steady_clock::now().time_since_epoch());
}

Reactor::Reactor()
    : epoll_(check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
      wake_fd_(check(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")),
      now_(now_steady()),
      wheel_(now_) {
  watch(wake_fd_.get(), waker_);
}

Reactor::~Reactor() = default;

void Reactor::watch(int fd, EventSource& source) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = &source;
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void Reactor::unwatch(int fd) {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void Reactor::wake() {
  const std::uint64_t one = 1;
  // A full counter wakes as well, so a failed write loses nothing.
  [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof one);
}

void Reactor::stop() {
  stopping_.store(true, std::memory_order_release);
  wake();
}

void Reactor::post(std::move_only_function<void()> work) {
  {
    const std::scoped_lock lock(mailbox_mutex_);
    mailbox_.push_back(std::move(work));
  }
  // Only the one that fills an empty mailbox wakes the loop; the loop clears the flag before it takes what is there.
  if (!mailbox_filled_.exchange(true, std::memory_order_acq_rel)) wake();
}

void Reactor::take_mailbox() {
  // The descriptor is never read: edge-triggered, every write to it is an event of its own.
  if (!mailbox_filled_.exchange(false, std::memory_order_acq_rel)) return;
  std::vector<std::move_only_function<void()>> work;
  {
    const std::scoped_lock lock(mailbox_mutex_);
    work.swap(mailbox_);
  }
  for (auto& item : work) item();
}

void Reactor::resume_ready() {
  // Signals notified while these run wait for the next turn, so that no pair of tasks can keep the loop from its events.
  IntrusiveList<Signal> batch;
  batch.splice_back(ready_);
  while (!batch.empty()) {
    Signal& signal = batch.pop_front();
    assert(signal.waiter_);
    std::exchange(signal.waiter_, nullptr).resume();
  }
}

void Reactor::run() {
  std::array<epoll_event, kEventsPerTurn> events;
  while (!stopping_.load(std::memory_order_acquire)) {
    resume_ready();
    int timeout_ms = -1;
    if (!ready_.empty()) {
      timeout_ms = 0;
    } else if (const auto next = wheel_.next_wake_up()) {
      const Duration wait = *next - now_steady();
      timeout_ms = static_cast<int>(std::clamp<std::int64_t>(
          std::chrono::ceil<std::chrono::milliseconds>(wait).count(), 0, 60'000));
    }
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, timeout_ms);
    if (count < 0 && errno != EINTR) check(count, "epoll_wait");
    now_ = now_steady();
    for (int i = 0; i < count; ++i) {
      static_cast<EventSource*>(events[i].data.ptr)->on_ready(events[i].events);
    }
    wheel_.advance(now_);
    take_mailbox();
  }
}

Reactor::Detached Reactor::run_detached(Gate& gate, Task<void> task) {
  ++gate.count_;
  try {
    co_await std::move(task);
  } catch (...) {
    ++failed_tasks_;
    if (on_task_failure) on_task_failure(std::current_exception());
  }
  --gate.count_;
  gate.changed_.notify();
}

void Reactor::spawn(Gate& gate, Task<void> task) {
  run_detached(gate, std::move(task));
}

Task<void> Reactor::sleep(Duration real) {
  Signal signal(*this);
  Deadline deadline(signal);
  deadline.arm(real);
  while (!deadline.expired()) co_await signal.wait();
}

void Deadline::arm(Duration after) {
  disarm();
  if (after != kForever) signal_->reactor().arm(*this, after);
}

Task<void> Gate::drained() {
  while (count_ > 0) co_await changed_.wait();
}

}  // namespace turnpike::net
