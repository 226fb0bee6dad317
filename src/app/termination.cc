#include "app/termination.h"

#include <utility>

#include <signal.h>
#include <sys/signalfd.h>

namespace turnpike::app {
namespace {

sigset_t awaited(bool hangup) {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGTERM);
  ::sigaddset(&set, SIGINT);
  if (hangup) ::sigaddset(&set, SIGHUP);
  return set;
}

}  // namespace

Termination::Termination(net::Reactor& reactor, std::function<void(int)> on_signal,
                         std::function<void()> on_hangup)
    : reactor_(reactor),
      on_signal_(std::move(on_signal)),
      on_hangup_(std::move(on_hangup)),
      awaited_(awaited(on_hangup_ != nullptr)) {
  ::pthread_sigmask(SIG_BLOCK, &awaited_, nullptr);
  fd_ = net::Fd(::signalfd(-1, &awaited_, SFD_NONBLOCK | SFD_CLOEXEC));
  reactor_.watch(fd_.get(), *this);
}

Termination::~Termination() {
  reactor_.unwatch(fd_.get());
  ::pthread_sigmask(SIG_UNBLOCK, &awaited_, nullptr);
}

void Termination::on_ready(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      on_hangup_();
    } else {
      on_signal_(++count_);
    }
  }
}

}  // namespace turnpike::app
