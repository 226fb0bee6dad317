#pragma once

#include <optional>
#include <utility>

#include "gateway/owner.h"
#include "net/reactor.h"

namespace turnpike::gateway {

// Runs `question(pools, now)` with the owner's role and brings its answer, a copy, back to the asking task.
template <typename F>
auto ask(Owner& owner, net::Reactor& reactor, F question)
    -> net::Task<decltype(question(std::declval<Pools&>(), TimePoint{}))> {
  using Answer = decltype(question(std::declval<Pools&>(), TimePoint{}));
  net::Signal answered(reactor);
  std::optional<Answer> answer;
  owner.run([&](Pools& pools, TimePoint now) {
    reactor.post([&answered, &answer, given = question(pools, now)]() mutable {
      answer.emplace(std::move(given));
      answered.notify();
    });
  });
  while (!answer) co_await answered.wait();
  co_return std::move(*answer);
}

}  // namespace turnpike::gateway
