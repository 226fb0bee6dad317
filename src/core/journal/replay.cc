#include "core/journal/replay.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace turnpike::core {

namespace {

using namespace journal;

// Applies an event to the pool it happened to; false if it does not fit what the pool is in.
struct Apply {
  Pool& pool;
  TimePoint now;

  bool operator()(const Submitted& e) const {
    if (pool.knows(e.submission.id)) return false;
    pool.submit(e.submission, now);
    return true;
  }
  bool operator()(const Cancelled& e) const {
    if (!pool.knows(e.request)) return false;
    pool.cancel(e.request, now);
    return true;
  }
  bool operator()(const FirstToken& e) const {
    if (!pool.is_dispatched(e.request)) return false;
    pool.first_token(e.request, now);
    return true;
  }
  bool operator()(const Settled& e) const {
    if (!pool.is_dispatched(e.request)) return false;
    pool.settle(e.request, e.settlement, now);
    return true;
  }
  bool operator()(const Failed& e) const {
    if (!pool.is_dispatched(e.request)) return false;
    pool.failed(e.request, e.kind, now, e.part);
    return true;
  }
  bool operator()(const Observed& e) const {
    pool.observe(e.endpoint, e.gauges, e.scraped_at, now);
    return true;
  }
  bool operator()(const EndpointAdded& e) const {
    pool.add_endpoint(e.spec, now);
    return true;
  }
  bool operator()(const EndpointRemoved& e) const {
    pool.remove_endpoint(e.endpoint, now);
    return true;
  }
  bool operator()(const DrainingSet& e) const {
    pool.set_draining(e.endpoint, e.draining, now);
    return true;
  }
  bool operator()(const ModelsSet& e) const {
    pool.set_models(e.endpoint, e.models, now);
    return true;
  }
  bool operator()(const HealthSet& e) const {
    pool.set_healthy(e.endpoint, e.healthy, now);
    return true;
  }
  bool operator()(const CacheForgotten& e) const {
    pool.forget_cache(e.endpoint, now);
    return true;
  }
  bool operator()(const SessionEnded& e) const {
    pool.end_session(e.session, now);
    return true;
  }
  bool operator()(const Advanced&) const {
    pool.advance(now);
    return true;
  }
  // Those of the pools as a whole are handled by play().
  bool operator()(const Began&) const { return false; }
  bool operator()(const Opened&) const { return false; }
  bool operator()(const PolicySet&) const { return false; }
  bool operator()(const Absorbed&) const { return false; }
};

}  // namespace

Pool* Replay::pool(std::uint32_t number) {
  const auto found = pools_.find(number);
  return found == pools_.end() ? nullptr : &found->second;
}

void Replay::play(const JournalRecord& record) {
  const TimePoint now = record.at;
  if (std::holds_alternative<Began>(record.event)) {
    pools_.clear();
    return;
  }
  if (const auto* opened = std::get_if<Opened>(&record.event)) {
    pools_.insert_or_assign(record.pool, Pool(instead_.value_or(opened->params)));
    return;
  }
  Pool* const pool = this->pool(record.pool);
  if (pool == nullptr) {
    ++passed_over_;
    return;
  }
  if (const auto* policy = std::get_if<PolicySet>(&record.event)) {
    if (!instead_) pool->set_policy(policy->params, now);
    return;
  }
  if (const auto* absorbed = std::get_if<Absorbed>(&record.event)) {
    const auto other = pools_.find(absorbed->other);
    if (other == pools_.end() || &other->second == pool) {
      ++passed_over_;
      return;
    }
    pool->absorb(std::move(other->second), now);
    pools_.erase(other);
    return;
  }
  if (!std::visit(Apply{*pool, now}, record.event)) ++passed_over_;
}

}  // namespace turnpike::core
