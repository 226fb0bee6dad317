#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "store/state_table.h"

namespace turnpike::store {

// An actor: a table that only whoever has the role of the actor touches, and a mailbox for everybody else. Whoever sends to an idle
// actor takes the role, does what he wanted at once, and then what others have sent meanwhile; whoever finds it busy leaves a
// message. So messages are handled one after the other, in the order in which they were sent.
class Shard {
 public:
  static constexpr std::size_t kMailbox = 128;

  Shard(const Clock& clock, std::size_t capacity) : clock_(clock), table_(capacity) {}

  struct StateUpdate {
    SessionKey key;
    Duration inherited{0};
    Duration execution{0};
    Duration waited{0};
  };
  struct AffinityUpdate {
    SessionKey key;
    EndpointId endpoint;
  };

  // Nobody waits for it to be handled, but for room in a full mailbox. False: the actor is closed, and it will not be.
  template <typename Update>
  bool send(const Update& update) {
    std::unique_lock lock(mutex_);
    if (!enter(lock)) return false;
    if (std::exchange(busy_, true)) {
      mailbox_.emplace_back(update);
    } else {
      work_on(update, lock);
    }
    return true;
  }

  // Calls f(table, now) in its turn and returns when that is done. False: the actor is closed.
  template <typename F>
  bool ask(F f) {
    std::unique_lock lock(mutex_);
    if (!enter(lock)) return false;
    run(f, lock);
    return true;
  }

  // No more messages from now on; those that were accepted are handled. Returns when the table is empty.
  void close() {
    std::unique_lock lock(mutex_);
    closed_ = true;
    room_.notify_all();
    const auto clear = [](StateTable& table, TimePoint) { table.clear(); };
    run(clear, lock);
  }

  [[nodiscard]] std::size_t waiting() {
    const std::lock_guard lock(mutex_);
    return mailbox_.size();
  }

 private:
  // Somebody waits for the answer; the question lies on his stack.
  struct Question {
    void (*call)(const void* f, StateTable& table, TimePoint now);
    const void* f;
    bool* answered;
  };
  using Message = std::variant<StateUpdate, AffinityUpdate, Question>;

  // Waits for room. False if the actor is closed.
  bool enter(std::unique_lock<std::mutex>& lock) {
    room_.wait(lock, [this] { return closed_ || mailbox_.size() < kMailbox; });
    return !closed_;
  }
  template <typename F>
  void run(const F& f, std::unique_lock<std::mutex>& lock) {
    bool answered = false;
    const Question question{
        .call = [](const void* what, StateTable& table,
                   TimePoint now) { (*static_cast<const F*>(what))(table, now); },
        .f = &f,
        .answered = &answered};
    if (std::exchange(busy_, true)) {
      mailbox_.emplace_back(question);
      answer_.wait(lock, [&answered] { return answered; });
    } else {
      work_on(question, lock);
    }
  }

  // With the role: the caller's own message, then the others'. Gives the role back.
  template <typename Own>
  void work_on(const Own& own, std::unique_lock<std::mutex>& lock) {
    lock.unlock();
    handle(own);
    lock.lock();
    work_off(lock);
  }
  void work_off(std::unique_lock<std::mutex>& lock);

  void handle(const StateUpdate& u) {
    table_.update_state(u.key, u.inherited, u.execution, u.waited, clock_.now());
  }
  void handle(const AffinityUpdate& u) { table_.update_affinity(u.key, u.endpoint, clock_.now()); }
  void handle(const Question& q) { q.call(q.f, table_, clock_.now()); }

  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable answer_;
  std::vector<Message> mailbox_;
  bool busy_ = false;  // somebody has the role
  bool closed_ = false;

  // Only for whoever has the role:
  StateTable table_;
  std::vector<Message> batch_;
};

}  // namespace turnpike::store
