#include "gateway/worker.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <variant>

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/random.h"
#include "gateway/request_life.h"
#include "gateway/worker_metrics.h"

namespace turnpike::gateway {

namespace {

thread_local const Worker* this_thread = nullptr;

net::ServerLimits server_limits(const Settings& settings, const Clock& clock) {
  net::ServerLimits limits;
  limits.head = settings.head_limits;
  limits.body_bytes = settings.body_bytes;
  limits.idle = clock.real(settings.keep_alive);
  limits.head_arrival = clock.real(settings.head_arrival);
  limits.body_pause = clock.real(settings.body_pause);
  limits.write_stall = clock.real(settings.client_write);
  return limits;
}

}  // namespace

Worker::Worker(int index, const Shared& shared, WorkerMetrics& metrics)
    : index_(index),
      shared_(shared),
      metrics_(metrics),
      server_limits_(server_limits(shared.settings, shared.clock)),
      pool_limits_{.idle_per_key = shared.settings.idle_upstreams,
                   .idle_time = shared.clock.real(shared.settings.upstream_idle)},
      gate_(reactor_),
      background_(reactor_),
      ending_(reactor_),
      alarm_(shared.owner),
      random_(shared.settings.hash_seed.value + static_cast<std::uint64_t>(index)),
      scanner_(shared.settings.sessions.body_fields()),
      directory_(shared.board),
      tenants_(shared.tenants),
      routes_(shared.routes) {
  upstreams_ = std::make_unique<net::ConnectionPool>(reactor_, background_, pool_limits_);
  reactor_.on_task_failure = [this](const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(std::move(failure));
    } catch (const std::exception& e) {
      shared_.log(Severity::error, fmt::format("a connection's task failed: {}", e.what()));
    }
    metrics_.task_failed();
  };
}

Worker::~Worker() {
  join();
}

void Worker::listen(net::Fd fd) {
  listeners_.push_back(std::make_unique<net::Listener>(reactor_, std::move(fd)));
}

void Worker::start() {
  thread_ = std::thread([this] {
    this_thread = this;
    for (const auto& listener : listeners_) reactor_.spawn(background_, accept_all(*listener));
    reactor_.run();
    this_thread = nullptr;
  });
}

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::drain() {
  reactor_.post([this] {
    if (std::exchange(draining_, true)) return;
    for (const auto& listener : listeners_) listener->close();
    for (net::ServerConnection* connection : connections_) connection->stop_when_idle();
    reactor_.spawn(ending_, finish());
  });
}

void Worker::abort() {
  reactor_.post([this] {
    aborting_ = true;
    for (net::ServerConnection* connection : connections_) {
      connection->stop_when_idle();
      ::shutdown(connection->stream().fd(), SHUT_RDWR);
    }
  });
}

net::Task<void> Worker::finish() {
  co_await gate_.drained();
  upstreams_->close();
  co_await background_.drained();
  shared_.drained();
}

net::Task<void> Worker::accept_all(net::Listener& listener) {
  while (net::Fd fd = co_await listener.accept()) {
    if (connections_.size() >= settings().connections) {
      metrics_.connection_refused();
      continue;  // closes it
    }
    reactor_.spawn(gate_, serve(std::move(fd)));
  }
}

net::Task<void> Worker::serve(net::Fd fd) {
  const net::TlsBoard* const tls = shared_.certificates.board();
  net::ServerConnection connection(reactor_, std::move(fd), server_limits_,
                                   tls != nullptr ? tls->current()->accept() : nullptr);
  // In the list for as long as this task lives, however it ends.
  struct Listed {
    std::vector<net::ServerConnection*>& list;
    net::ServerConnection* connection;
    Listed(std::vector<net::ServerConnection*>& l, net::ServerConnection* c)
        : list(l), connection(c) {
      list.push_back(c);
    }
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed() { std::erase(list, connection); }
  } const listed(connections_, &connection);
  if (draining_) connection.stop_when_idle();
  metrics_.connections(connections_.size());
  if (tls != nullptr) {
    const bool good = co_await connection.handshake();
    metrics_.handshake(good);
    if (!good) co_return;
  }
  while (true) {
    RequestLife life(*this, connection);
    if (!co_await life.run()) break;
  }
}

void Worker::set_alarm(TimePoint at) {
  if (this_thread != this) {
    reactor_.post([this, at] { set_alarm(at); });
    return;
  }
  reactor_.arm(alarm_, clock().real(std::max(at - clock().now(), Duration(0))));
}

void Worker::deliver(const core::Decision& decision) {
  if (this_thread == this) {
    hand_over(decision);
    return;
  }
  bool first = false;
  {
    const std::scoped_lock lock(mailbox_mutex_);
    first = mailbox_.empty();
    mailbox_.push_back(decision);
  }
  if (first) reactor_.post([this] { take_decisions(); });
}

void Worker::take_decisions() {
  std::vector<core::Decision> decisions;
  {
    const std::scoped_lock lock(mailbox_mutex_);
    decisions.swap(mailbox_);
  }
  for (const core::Decision& decision : decisions) hand_over(decision);
}

void Worker::hand_over(const core::Decision& decision) {
  const RequestId id = std::visit([](const auto& d) { return d.request; }, decision);
  const auto found = lives_.find(id);
  // Not found: its client has left meanwhile, and the cancellation that is under way gives back what was taken.
  if (found != lives_.end()) found->second->decide(decision);
}

RequestId Worker::admit(RequestLife& life) {
  const RequestId id((static_cast<std::uint64_t>(index_) << kWorkerShift) | next_request_++);
  lives_.emplace(id, &life);
  return id;
}

std::string Worker::make_request_id() {
  return fmt::format("{:016x}{:016x}", random_.next(), random_.next());
}

int Worker::retry_after_seconds(Duration predicted) {
  const double spread = 0.8 + 0.4 * random_.uniform();
  return static_cast<int>(std::clamp(std::ceil(to_seconds(predicted) * spread), 1.0, 60.0));
}

}  // namespace turnpike::gateway
