#include "event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <system_error>
#include <utility>

namespace turnpike::bench {

Socket::~Socket() = default;

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

EventLoop::~EventLoop() {
  for (const auto& socket : sockets_) {
    if (socket) close(socket->fd());
  }
  close(epoll_);
}

void EventLoop::watch(std::unique_ptr<Socket> socket, std::uint32_t events) {
  const int fd = socket->fd();
  epoll_event event{.events = events, .data = {.fd = fd}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  const auto index = static_cast<std::size_t>(fd);
  if (sockets_.size() <= index) sockets_.resize(index + 1);
  sockets_[index] = std::move(socket);
}

void EventLoop::rewatch(Socket& socket, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.fd = socket.fd()}};
  epoll_ctl(epoll_, EPOLL_CTL_MOD, socket.fd(), &event);
}

void EventLoop::drop(Socket& socket) {
  auto& owned = sockets_[static_cast<std::size_t>(socket.fd())];
  if (owned.get() != &socket) return;
  dropped_.push_back(std::move(owned));
  close(socket.fd());
}

void EventLoop::at(Clock::time_point when, std::function<void()> task) {
  timers_.push({when, next_sequence_++, std::move(task)});
}

bool EventLoop::run(const std::function<bool()>& done, Clock::time_point deadline) {
  std::array<epoll_event, 256> events;
  while (!done()) {
    auto now = Clock::now();
    if (now >= deadline) return false;
    while (!timers_.empty() && timers_.top().when <= now) {
      auto task = timers_.top().task;
      timers_.pop();
      task();
    }
    dropped_.clear();
    if (done()) break;
    const auto wake = timers_.empty() ? deadline : std::min(deadline, timers_.top().when);
    const auto wait = std::clamp<Nanos>(wake - Clock::now(), Nanos{0}, std::chrono::hours(1));
    const timespec patience{.tv_sec = wait.count() / 1'000'000'000,
                            .tv_nsec = wait.count() % 1'000'000'000};
    const int ready =
        epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &patience, nullptr);
    for (int i = 0; i < ready; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      // A descriptor that was closed in this batch and opened again gets at most a spurious event: reads find nothing.
      if (auto* socket = sockets_[static_cast<std::size_t>(event.data.fd)].get())
        socket->on_events(event.events);
    }
    dropped_.clear();
  }
  return true;
}

}  // namespace turnpike::bench
