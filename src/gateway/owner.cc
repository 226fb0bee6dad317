#include "gateway/owner.h"

#include <cassert>

namespace turnpike::gateway {

Owner::Owner(const Clock& clock, core::PoolParams params, telemetry::FlightRecorder* recorder)
    : clock_(clock),
      recorder_(recorder),
      pools_(std::move(params), recorder == nullptr ? nullptr : &recorder->writer()) {}

void Owner::attach(std::vector<DecisionSink*> sinks, std::function<void(TimePoint)> alarm) {
  sinks_ = std::move(sinks);
  alarm_ = std::move(alarm);
}

void Owner::post(OwnerEvent event) {
  enqueue(std::move(event));
}

void Owner::run(std::move_only_function<void(Pools&, TimePoint)> work) {
  enqueue(std::move(work));
}

void Owner::advance() {
  run([this](Pools& pools, TimePoint now) {
    alarm_at_ = TimePoint::max();
    pools.advance(now);
  });
}

void Owner::enqueue(Item item) {
  {
    const std::scoped_lock lock(inbox_mutex_);
    inbox_.push_back(std::move(item));
    if (busy_) return;  // whoever has the role looks again before it gives it up
    busy_ = true;
  }
  work_while_there_is_any();
}

void Owner::work_while_there_is_any() {
  while (true) {
    {
      const std::scoped_lock lock(inbox_mutex_);
      if (inbox_.empty()) {
        busy_ = false;
        return;
      }
      batch_.swap(inbox_);
    }
    const TimePoint now = clock_.now();
    for (Item& item : batch_) {
      if (auto* event = std::get_if<OwnerEvent>(&item)) {
        handle(*event, now);
      } else {
        std::get<1>(item)(pools_, now);
      }
      pools_.drain([this](const core::Decision& decision) { deliver(decision); });
    }
    batch_.clear();
    if (recorder_ != nullptr) recorder_->collect(now);
    set_alarm();
  }
}

void Owner::handle(OwnerEvent& event, TimePoint now) {
  std::visit(
      [&](auto& e) {
        using E = std::decay_t<decltype(e)>;
        ModelId model;
        if constexpr (std::is_same_v<E, SubmitEvent>) {
          model = e.submission.model;
        } else {
          model = e.model;
        }
        core::Pool* const pool = pools_.of_model(model);
        if (pool == nullptr) {  // only a submission can come before its pool
          if constexpr (std::is_same_v<E, SubmitEvent>) {
            deliver(core::Rejection{e.submission.id, core::RejectReason::unknown_model, {}});
          }
          return;
        }
        if constexpr (std::is_same_v<E, SubmitEvent>) {
          pool->submit(e.submission, now);
        } else if constexpr (std::is_same_v<E, CancelEvent>) {
          // Its worker has let go of it for good. If it was dispatched meanwhile, the lease comes back here; if it was rejected,
          // there is nothing left to give back.
          if (!pool->cancel(e.request, now) && pool->is_dispatched(e.request)) {
            pool->settle(e.request, {.ending = core::Ending::cancelled}, now);
          }
        } else if constexpr (std::is_same_v<E, FirstTokenEvent>) {
          pool->first_token(e.request, now);
        } else if constexpr (std::is_same_v<E, SettleEvent>) {
          pool->settle(e.request, e.settlement, now);
        } else {
          pool->failed(e.request, e.kind, now);
        }
      },
      event);
}

void Owner::deliver(const core::Decision& decision) {
  const RequestId id = std::visit([](const auto& d) { return d.request; }, decision);
  assert(worker_of(id) < sinks_.size());
  sinks_[worker_of(id)]->deliver(decision);
}

void Owner::set_alarm() {
  const auto next = pools_.next_deadline();
  if (!next || *next >= alarm_at_) return;  // an alarm that rings too early costs one empty step
  alarm_at_ = *next;
  alarm_(*next);
}

}  // namespace turnpike::gateway
