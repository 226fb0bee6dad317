#include "app/termination.h"

#include <utility>

#include <signal.h>
#include <sys/signalfd.h>

namespace turnpike::app {
namespace {

sigset_t awaited() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

Termination::Termination(net::Reactor& reactor, std::function<void(int)> on_signal)
    : reactor_(reactor), on_signal_(std::move(on_signal)) {
  const sigset_t set = awaited();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = net::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  reactor_.watch(fd_.get(), *this);
}

Termination::~Termination() {
  reactor_.unwatch(fd_.get());
  const sigset_t set = awaited();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void Termination::on_ready(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) on_signal_(++count_);
}

}  // namespace turnpike::app
