#pragma once

#include <utility>

#include "base/ids.h"
#include "core/pool/events.h"
#include "gateway/owner.h"

namespace turnpike::gateway {

// A request's place in its pool, as its worker holds it: an entry of the queue, then a lease. Taken by submitting; given back exactly once,
// by settle(), by a rejection, or by whatever destroys it: abandoning a queued request takes it out of the queue, abandoning a
// dispatched one returns its lease as cancelled, and if a dispatch is on its way meanwhile, the owner returns that lease.
class [[nodiscard]] Ticket {
 public:
  Ticket() = default;
  Ticket(Owner& owner, core::Submission submission)
      : owner_(&owner), request_(submission.id), model_(submission.model) {
    owner.post(SubmitEvent{std::move(submission)});
  }
  Ticket(Ticket&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        request_(other.request_),
        model_(other.model_) {}
  Ticket& operator=(Ticket&& other) noexcept {
    if (this != &other) {
      abandon();
      owner_ = std::exchange(other.owner_, nullptr);
      request_ = other.request_;
      model_ = other.model_;
    }
    return *this;
  }
  ~Ticket() { abandon(); }

  // While it is held:
  void first_token() { owner_->post(FirstTokenEvent{request_, model_}); }
  // The endpoint brought no answer; another decision will come.
  void failed(core::FailureKind kind) { owner_->post(FailedEvent{request_, model_, kind}); }

  // Ends of it:
  void settle(const core::Settlement& settlement) {
    if (Owner* const owner = std::exchange(owner_, nullptr)) {
      owner->post(SettleEvent{request_, model_, settlement});
    }
  }
  void rejected() { owner_ = nullptr; }
  void abandon() {
    if (Owner* const owner = std::exchange(owner_, nullptr)) {
      owner->post(CancelEvent{request_, model_});
    }
  }

  explicit operator bool() const { return owner_ != nullptr; }

 private:
  Owner* owner_ = nullptr;
  RequestId request_;
  ModelId model_;
};

}  // namespace turnpike::gateway
