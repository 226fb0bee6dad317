#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "store/session_store.h"

namespace turnpike::store {

namespace {
constexpr std::size_t kStep = 256;  // sessions forgotten before others may go on
}  // namespace

class Cleanup::Thread {
 public:
  Thread(SessionStore& store, const Clock& clock, Duration interval, Duration idle)
      : thread_([this, &store, &clock, interval, idle] {
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, clock.real(interval), [this] { return stopped_; })) {
            lock.unlock();
            while (!stopped() && store.remove_idle(idle, kStep) > 0) std::this_thread::yield();
            lock.lock();
          }
        }) {}
  ~Thread() { stop(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_one();
    const std::lock_guard joining(join_mutex_);
    if (thread_.joinable()) thread_.join();
  }

 private:
  bool stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

  std::mutex mutex_;
  std::mutex join_mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;  // last: it uses all of the above
};

Cleanup::Cleanup(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Cleanup::Cleanup(Cleanup&&) noexcept = default;
Cleanup::~Cleanup() = default;

void Cleanup::stop() {
  if (thread_ != nullptr) thread_->stop();
}

Cleanup SessionStore::start_cleanup(Duration interval, Duration idle) {
  return Cleanup(std::make_unique<Cleanup::Thread>(*this, clock_, interval, idle));
}

}  // namespace turnpike::store
