#include "core/journal/journal_writer.h"

#include <variant>

namespace turnpike::core {

using namespace journal;

// Mark, format, how many records the segment before had, `Began`, the time, and the roster as so many records.
void JournalWriter::begin_segment(TimePoint now, std::int64_t wall_clock_ns) {
  context_.reset();
  Encoder out(bytes_, context_);
  bytes_ += kMagic;
  out.fixed(kFormat);
  out.varint(records_);
  out.put(Began{.journal = journal_, .segment = segment_++, .wall_clock_ns = wall_clock_ns});
  out.put(now);
  context_.now = now;
  records_ = 0;

  std::uint64_t records = 0;
  for (const auto& [number, pool] : roster_) {
    records += 1;
    for (const auto& [id, endpoint] : pool.endpoints)
      records += 1U + (endpoint.draining ? 1U : 0U) + (endpoint.healthy ? 0U : 1U);
  }
  out.varint(records);
  const auto write = [&]<typename E>(std::uint32_t number, const E& event) {
    begin_record(JournalEvent(std::in_place_type<E>).index(), number, now);
    out.put(event);
  };
  for (const auto& [number, pool] : roster_) {
    write(number, Opened{pool.params});
    for (const auto& [id, endpoint] : pool.endpoints) {
      write(number, EndpointAdded{endpoint.spec});
      if (endpoint.draining) write(number, DrainingSet{id, true});
      if (!endpoint.healthy) write(number, HealthSet{id, false});
    }
  }
}

void JournalWriter::begin_record(std::size_t kind, std::uint32_t pool, TimePoint now) {
  Encoder out(bytes_, context_);
  ++records_;
  const bool same_pool = pool == context_.pool;
  const bool same_time = now == context_.now;
  out.byte(static_cast<unsigned>(kind) | (same_pool ? kSamePool : 0U) |
           (same_time ? kSameTime : 0U));
  if (!same_pool) out.varint(pool);
  if (!same_time) out.put(now);  // as the difference to the record before
  context_.pool = pool;
  context_.now = now;
}

void JournalWriter::roster_changed(std::uint32_t number, const JournalEvent& event) {
  RosterOfPool& pool = roster_[number];
  const auto endpoint = [&](EndpointId id, auto change) {
    const auto found = pool.endpoints.find(id);
    if (found != pool.endpoints.end()) change(found->second);
  };
  if (const auto* opened = std::get_if<Opened>(&event)) {
    pool.params = opened->params;
  } else if (const auto* policy = std::get_if<PolicySet>(&event)) {
    pool.params = policy->params;
  } else if (const auto* added = std::get_if<EndpointAdded>(&event)) {
    pool.endpoints[added->spec.id] = {.spec = added->spec};
  } else if (const auto* removed = std::get_if<EndpointRemoved>(&event)) {
    pool.endpoints.erase(removed->endpoint);
  } else if (const auto* drains = std::get_if<DrainingSet>(&event)) {
    endpoint(drains->endpoint, [&](Endpoint& e) { e.draining = drains->draining; });
  } else if (const auto* models = std::get_if<ModelsSet>(&event)) {
    endpoint(models->endpoint, [&](Endpoint& e) { e.spec.models = models->models; });
  } else if (const auto* health = std::get_if<HealthSet>(&event)) {
    endpoint(health->endpoint, [&](Endpoint& e) { e.healthy = health->healthy; });
  } else if (const auto* absorbed = std::get_if<Absorbed>(&event)) {
    pool.endpoints.merge(roster_[absorbed->other].endpoints);
    roster_.erase(absorbed->other);
  }
}

}  // namespace turnpike::core
