#include "app/load/load_run.h"

#include <algorithm>
#include <utility>

#include "app/load/load_session.h"

namespace turnpike::app {
namespace {

// Numbers of sessions that others start; the workload's are below.
constexpr std::uint64_t kChildren = std::uint64_t{1} << 61U;

}  // namespace

using net::Task;

// Stops the run when its time is over.
class LoadRun::EndOfRun final : public net::WheelTimer {
 public:
  explicit EndOfRun(LoadRun& run) : run_(run) {}
  void on_alarm() override { run_.stop(); }

 private:
  LoadRun& run_;
};

LoadRun::LoadRun(net::Reactor& reactor, const Clock& clock, LoadParams params)
    : reactor_(reactor),
      clock_(clock),
      params_(std::move(params)),
      sessions_gate_(reactor),
      arrivals_signal_(reactor),
      log_(params_.workload.warm_up),
      next_child_(kChildren),
      start_(clock.now()) {}

Task<void> LoadRun::run() {
  start_ = clock_.now();
  EndOfRun end_of_run(*this);
  const sim::Workload& workload = params_.workload;
  if (workload.duration > Duration(0)) reactor_.arm(end_of_run, clock_.real(workload.duration));
  if (workload.rate > 0) {
    co_await arrivals();
  } else {
    for (std::uint32_t i = 0; i < workload.concurrency; ++i) reactor_.spawn(sessions_gate_, slot());
  }
  co_await sessions_gate_.drained();
  ended_ = elapsed();
  if (workload.duration > Duration(0)) ended_ = std::min(ended_, workload.duration);
}

void LoadRun::stop() {
  stopping_ = true;
  arrivals_signal_.notify();
  for (LoadSession* const session : active_) session->stop();
}

bool LoadRun::has_next() const {
  const std::uint64_t most = params_.workload.sessions;
  return !stopping_ && (most == 0 || next_session_ < most);
}

Task<void> LoadRun::slot() {
  while (has_next()) co_await session(next_session_++);
}

Task<void> LoadRun::arrivals() {
  sim::Arrivals arrivals(params_.workload, params_.seed);
  net::Deadline deadline(arrivals_signal_);
  while (has_next()) {
    const Duration wait = arrivals.next() - elapsed();
    if (wait > Duration(0)) {
      deadline.arm(clock_.real(wait));
      while (!deadline.expired() && !stopping_) co_await arrivals_signal_.wait();
    }
    if (!stopping_) reactor_.spawn(sessions_gate_, session(next_session_++));
  }
}

Task<void> LoadRun::session(std::uint64_t index) {
  LoadSession session(*this, sim::make_session(params_.workload, params_.seed, index));
  active_.push_back(&session);
  co_await session.play();
  std::erase(active_, &session);
}

Task<void> LoadRun::child(sim::Session session, Duration delay) {
  session.index = next_child_++;
  LoadSession play(*this, std::move(session));
  active_.push_back(&play);
  co_await play.play(delay);
  std::erase(active_, &play);
}

sim::RunResult LoadRun::result() const {
  sim::RunResult result = log_.summary(ended_);
  result.workload = params_.workload.name;
  result.replicas = params_.workload.replicas;
  return result;
}

}  // namespace turnpike::app
