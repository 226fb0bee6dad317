#include "net/listener.h"

#include <cerrno>
#include <chrono>

#include <sys/socket.h>

namespace turnpike::net {

namespace {
constexpr Duration kRetryAfterExhaustion = std::chrono::milliseconds(20);
}

Listener::Listener(Reactor& reactor, Fd fd)
    : reactor_(reactor), fd_(std::move(fd)), signal_(reactor), retry_(signal_) {
  reactor_.watch(fd_.get(), *this);
}

Task<Fd> Listener::accept() {
  while (fd_) {
    Fd accepted(::accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted) co_return accepted;
    switch (errno) {
      case EAGAIN:
        if (closing_) {
          reactor_.unwatch(fd_.get());
          fd_.reset();
          co_return Fd();
        }
        co_await signal_.wait();
        break;
      case EMFILE:
      case ENFILE:
      case ENOBUFS:
      case ENOMEM:
        ++exhausted_;
        retry_.arm(kRetryAfterExhaustion);
        while (!retry_.expired() && !closing_) co_await signal_.wait();
        if (closing_) {
          reactor_.unwatch(fd_.get());
          fd_.reset();
        }
        break;
      default:
        break;  // The connection broke before it was taken: the next one, please.
    }
  }
  co_return Fd();
}

void Listener::close() {
  closing_ = true;
  signal_.notify();
}

}  // namespace turnpike::net
