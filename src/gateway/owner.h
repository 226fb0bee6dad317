#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "core/pool/events.h"
#include "gateway/pools.h"
#include "telemetry/flight_recorder.h"

namespace turnpike::gateway {

// What workers tell the owner. Every one names the request's model, which finds the pool.
struct SubmitEvent {
  core::Submission submission;
};
struct CancelEvent {
  RequestId request;
  ModelId model;
};
struct FirstTokenEvent {
  RequestId request;
  ModelId model;
};
struct SettleEvent {
  RequestId request;
  ModelId model;
  core::Settlement settlement;
};
struct FailedEvent {
  RequestId request;
  ModelId model;
  core::FailureKind kind;
};
using OwnerEvent =
    std::variant<SubmitEvent, CancelEvent, FirstTokenEvent, SettleEvent, FailedEvent>;

// Where the decisions about a request go: the worker that has it. A request's id says which one in its highest byte.
class DecisionSink {
 public:
  // The owner's thread of the moment; the sink may only queue, and may post to the owner.
  virtual void deliver(const core::Decision& decision) = 0;

 protected:
  ~DecisionSink() = default;
};

constexpr int kWorkerShift = 56;
constexpr std::uint64_t worker_of(RequestId id) {
  return id.value() >> kWorkerShift;
}

// The owner of all policy state. It is a role, not a thread: whoever posts an event and finds nobody at work does the work at
// once, so an idle gateway decides without waking anybody, and events from all threads are handled one after the other.
// Decisions go to the sinks before the next event is handled. post() and run() may be called from any thread.
class Owner {
 public:
  // `recorder`: writes down what happens to the pools; null: nobody does.
  Owner(const Clock& clock, core::PoolParams params, telemetry::FlightRecorder* recorder = nullptr);

  // Before the first event. `alarm` is told that advance() must be called at a time (policy time) earlier than it knew, from
  // whatever thread has the role.
  void attach(std::vector<DecisionSink*> sinks, std::function<void(TimePoint)> alarm);

  void post(OwnerEvent event);
  // Runs `work` with the role: for what is rare (endpoints, gauges, listings). Work that reads must copy what it wants.
  void run(std::move_only_function<void(Pools&, TimePoint)> work);
  // The alarm rang.
  void advance();

 private:
  using Item = std::variant<OwnerEvent, std::move_only_function<void(Pools&, TimePoint)>>;

  void enqueue(Item item);
  void work_while_there_is_any();
  void handle(OwnerEvent& event, TimePoint now);
  void deliver(const core::Decision& decision);
  void set_alarm();

  const Clock& clock_;
  telemetry::FlightRecorder* const recorder_;
  std::vector<DecisionSink*> sinks_;
  std::function<void(TimePoint)> alarm_;

  std::mutex inbox_mutex_;
  std::vector<Item> inbox_;
  bool busy_ = false;  // under inbox_mutex_: somebody has the role

  // Only for whoever has the role:
  Pools pools_;
  std::vector<Item> batch_;
  TimePoint alarm_at_ = TimePoint::max();
};

}  // namespace turnpike::gateway
