#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/profile.h"
#include "net/address.h"
#include "net/reactor.h"
#include "sim/client_rules.h"
#include "sim/result.h"
#include "sim/workload.h"

namespace turnpike::app {

struct LoadParams {
  net::Address address;
  std::string authority;  // for the Host field
  std::string base_path;  // "" or "/prefix"
  std::string model;
  std::string session_header;  // empty: no id is sent
  sim::Workload workload;
  std::uint64_t seed = 1;
  engine::Profile profile;  // what `slowdown` is held against
};

struct LoadProgress {
  std::uint64_t sessions_started = 0;
  std::uint64_t sessions_ended = 0;
  std::uint64_t requests_running = 0;
  std::uint64_t requests_finished = 0;
  std::uint64_t requests_lost = 0;
  std::int64_t output_tokens = 0;
};

// The sessions of a workload over real sockets, each with a connection and a task of its own, in the time of `clock`.
//
// A refused first turn is tried again after Retry-After, at most sim::kRetries times. A turn that is lost for good kills its
// session. In a closed loop a slot then takes the next session; in an open one sessions begin when they begin. Sessions that a
// recorded one starts run beside the slots.
// The reactor's thread only.
class LoadRun {
 public:
  LoadRun(net::Reactor& reactor, const Clock& clock, LoadParams params);
  LoadRun(const LoadRun&) = delete;
  LoadRun& operator=(const LoadRun&) = delete;

  // Ends when all sessions have ended, or at the end of the workload's duration, or after stop(). Once.
  net::Task<void> run();
  // No more sessions; requests that run are cut off and count as unfinished.
  void stop();

  [[nodiscard]] sim::RunResult result() const;
  [[nodiscard]] const LoadProgress& progress() const { return progress_; }
  // What the first lost request was lost of; empty if none was.
  [[nodiscard]] const std::string& first_error() const { return first_error_; }
  [[nodiscard]] Duration elapsed() const { return clock_.now() - start_; }

 private:
  friend class LoadSession;
  class EndOfRun;

  net::Task<void> slot();
  net::Task<void> arrivals();
  net::Task<void> session(std::uint64_t index);
  net::Task<void> child(sim::Session session, Duration delay);
  [[nodiscard]] bool has_next() const;

  net::Reactor& reactor_;
  const Clock& clock_;
  LoadParams params_;
  net::Gate sessions_gate_;
  net::Signal arrivals_signal_;
  sim::RunLog log_;
  LoadProgress progress_;
  std::string first_error_;
  std::vector<class LoadSession*> active_;
  sim::SharedTexts shared_seen_;
  std::uint64_t next_session_ = 0;
  std::uint64_t next_child_;
  TimePoint start_;
  Duration ended_{};
  bool stopping_ = false;
};

}  // namespace turnpike::app
