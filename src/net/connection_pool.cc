#include "net/connection_pool.h"

#include <algorithm>

namespace turnpike::net {

ConnectionPool::ConnectionPool(Reactor& reactor, Gate& gate, const ConnectionPoolLimits& limits)
    : reactor_(reactor), limits_(limits), changed_(reactor), tick_(changed_) {
  reactor_.spawn(gate, watch());
}

std::unique_ptr<Stream> ConnectionPool::take(std::uint32_t key, Signal& signal) {
  const auto found = parked_.find(key);
  if (found == parked_.end()) return nullptr;
  auto& stack = found->second;
  while (!stack.empty()) {
    std::unique_ptr<Stream> stream = std::move(stack.back().stream);
    stack.pop_back();
    if (!stream->quiet()) continue;
    stream->bind(signal);
    return stream;
  }
  return nullptr;
}

void ConnectionPool::park(std::uint32_t key, std::unique_ptr<Stream> stream) {
  if (closing_ || limits_.idle_per_key == 0 || !stream->quiet()) return;
  stream->bind(changed_);
  auto& stack = parked_[key];
  if (stack.size() >= limits_.idle_per_key) stack.erase(stack.begin());
  stack.push_back({std::move(stream), reactor_.now()});
  if (!tick_.linked()) tick_.arm(limits_.idle_time);
}

void ConnectionPool::close() {
  closing_ = true;
  parked_.clear();
  changed_.notify();
}

std::size_t ConnectionPool::size() const {
  std::size_t total = 0;
  for (const auto& [key, stack] : parked_) total += stack.size();
  return total;
}

Task<void> ConnectionPool::watch() {
  while (!closing_) {
    co_await changed_.wait();
    sweep(reactor_.now());
    if (tick_.expired()) tick_.disarm();
    if (!parked_.empty() && !tick_.linked()) tick_.arm(limits_.idle_time / 4);
  }
}

void ConnectionPool::sweep(TimePoint now) {
  absl::erase_if(parked_, [&](auto& entry) {
    std::erase_if(entry.second, [&](const Parked& parked) {
      return !parked.stream->quiet() || now - parked.since >= limits_.idle_time;
    });
    return entry.second.empty();
  });
}

}  // namespace turnpike::net
