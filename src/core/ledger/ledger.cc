#include "core/ledger/ledger.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace turnpike::core {
namespace {

constexpr std::size_t kMaxMovements = 4096;
constexpr std::int64_t kTellingPrompt =
    256;  // tokens; below this a first token says more about decoding than prefill
constexpr double kPrefillWeight = 0.05;

}  // namespace

Lease::Lease(Ledger& ledger, TokenCount context, TokenCount uncached, TimePoint now)
    : ledger_(&ledger), context_(context), uncached_(uncached), taken_at_(now), in_backlog_(true) {}

Lease::Lease(Lease&& other) noexcept {
  *this = std::move(other);
}

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this == &other) return *this;
  if (ledger_ != nullptr) give_back(ledger_->latest_);
  ledger_ = std::exchange(other.ledger_, nullptr);
  context_ = other.context_;
  uncached_ = other.uncached_;
  taken_at_ = other.taken_at_;
  in_backlog_ = other.in_backlog_;
  return *this;
}

Lease::~Lease() {
  if (ledger_ != nullptr) give_back(ledger_->latest_);
}

void Lease::first_token(TimePoint now, bool measured) {
  if (ledger_ == nullptr || !in_backlog_) return;
  in_backlog_ = false;
  ledger_->leave_backlog(*this, now, measured);
}

void Lease::give_back(TimePoint now) {
  if (ledger_ == nullptr) return;
  first_token(now, false);
  std::exchange(ledger_, nullptr)->give_back(*this, now);
}

Ledger::Ledger(int configured_slots, TokenCount configured_capacity)
    : configured_slots_(configured_slots), configured_capacity_(configured_capacity) {}

Ledger::~Ledger() {
  assert(leases_ == 0);
}

Lease Ledger::take(TokenCount context, TokenCount uncached, TimePoint now) {
  ++leases_;
  running_tokens_ += context;
  backlog_ += uncached;
  record(now, false);
  return Lease(*this, context, uncached, now);
}

void Ledger::observe(const Gauges& gauges, TimePoint scraped_at, TimePoint now) {
  latest_ = std::max(latest_, now);
  if (scraped_at_ && scraped_at <= *scraped_at_) return;
  gauges_ = gauges;
  scraped_at_ = scraped_at;
  while (!movements_.empty() && movements_.front().at <= scraped_at) movements_.pop_front();
  settled_ = static_cast<int>(std::ranges::count(movements_, true, &Movement::settled));
  dispatched_ = static_cast<int>(movements_.size()) - settled_;
  const int waiting = gauges.waiting.value_or(0);
  if (waiting > 0 && gauges.running) running_while_waiting_.add(*gauges.running, scraped_at);
  const int own = leases_ - dispatched_ + settled_;
  foreign_ = std::max(0, gauges.running.value_or(0) + waiting - own);
}

int Ledger::slots(TimePoint now) const {
  return configured_slots_ > 0 ? configured_slots_ : running_while_waiting_.value(now);
}

TokenCount Ledger::capacity() const {
  if (configured_capacity_ > TokenCount(0)) return configured_capacity_;
  return gauges_.kv_capacity.value_or(TokenCount(0));
}

void Ledger::leave_backlog(const Lease& lease, TimePoint now, bool measured) {
  backlog_ -= lease.uncached_;
  if (!measured) return;
  if (lease.uncached_.value() >= kTellingPrompt) {
    const Duration prefill = now - std::max(lease.taken_at_, last_first_token_);
    prefill_seconds_ += kPrefillWeight * (std::max(0.0, to_seconds(prefill)) - prefill_seconds_);
    prefill_tokens_ += kPrefillWeight * (lease.uncached_.as_double() - prefill_tokens_);
  }
  last_first_token_ = now;
}

void Ledger::give_back(const Lease& lease, TimePoint now) {
  assert(leases_ > 0);
  --leases_;
  running_tokens_ -= lease.context_;
  record(now, true);
}

void Ledger::record(TimePoint now, bool settled) {
  latest_ = std::max(latest_, now);
  if (movements_.size() == kMaxMovements) movements_.pop_front();
  movements_.push_back({.at = now, .settled = settled});
  ++(settled ? settled_ : dispatched_);
}

}  // namespace turnpike::core
