#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

namespace turnpike::bench {

using Clock = std::chrono::steady_clock;
using Nanos = std::chrono::nanoseconds;

// What an EventLoop tells of one socket.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  virtual ~Socket();

  // `events`: EPOLLIN, EPOLLOUT and so on, level-triggered. May close its own socket through EventLoop::drop().
  virtual void on_events(std::uint32_t events) = 0;

  int fd() const { return fd_; }

 private:
  int fd_;
};

// One thread's epoll loop with timers. It owns its sockets; one that is dropped is closed at once but destroyed only after
// the events at hand, so that a callback may drop any socket, its own included. Timers are not cancelled: they look for
// themselves whether what they were for still exists.
class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  template <typename T>
  T& adopt(std::unique_ptr<T> socket, std::uint32_t events) {
    T& adopted = *socket;
    watch(std::move(socket), events);
    return adopted;
  }
  void rewatch(Socket& socket, std::uint32_t events);
  void drop(Socket& socket);

  void at(Clock::time_point when, std::function<void()> task);

  // Runs until `done` holds (looked at after every batch of events) or the deadline has passed. True if `done` held.
  bool run(const std::function<bool()>& done, Clock::time_point deadline);
  void run_for(Nanos duration) {
    run([] { return false; }, Clock::now() + duration);
  }

 private:
  struct Timer {
    Clock::time_point when;
    std::uint64_t sequence;
    std::function<void()> task;
    bool operator<(const Timer& other) const {
      return when != other.when ? when > other.when : sequence > other.sequence;
    }
  };
  void watch(std::unique_ptr<Socket> socket, std::uint32_t events);

  int epoll_;
  std::uint64_t next_sequence_ = 0;
  std::vector<std::unique_ptr<Socket>> sockets_;  // by file descriptor
  std::vector<std::unique_ptr<Socket>> dropped_;
  std::priority_queue<Timer> timers_;
};

}  // namespace turnpike::bench
