#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"
#include "core/preset/preset.h"

// Everything that happens to a pool, as values: one struct for each event of core/pool/pool.h, with its arguments.
namespace turnpike::core {

namespace journal {

// A stretch of events begins that can be read without what came before: the pools and endpoints there are follow as if they were
// made now; requests and sessions from before are unknown. Not an event of a pool; a replay starts afresh.
struct Began {
  std::uint64_t journal = 0;  // drawn when the recording process started
  std::uint64_t segment = 0;  // counted from 0
  std::int64_t wall_clock_ns =
      0;  // since 1970, when the recorded clock showed the time of this record
};
struct Opened {
  PoolParams params;
};
struct Submitted {
  Submission submission;
};
struct Cancelled {
  RequestId request;
};
struct FirstToken {
  RequestId request;
};
struct Settled {
  RequestId request;
  Settlement settlement;
};
struct Failed {
  RequestId request;
  FailureKind kind = FailureKind::refused;
  FailedPart part = FailedPart::answer;
};
struct Observed {
  EndpointId endpoint;
  Gauges gauges;
  TimePoint scraped_at{};
};
struct EndpointAdded {
  EndpointSpec spec;
};
struct EndpointRemoved {
  EndpointId endpoint;
};
struct DrainingSet {
  EndpointId endpoint;
  bool draining = false;
};
struct ModelsSet {
  EndpointId endpoint;
  std::vector<ModelId> models;
};
struct HealthSet {
  EndpointId endpoint;
  bool healthy = true;
};
struct CacheForgotten {
  EndpointId endpoint;
};
struct SessionEnded {
  SessionKey session;
};
struct PolicySet {
  PoolParams params;
};
struct Advanced {};
struct Absorbed {
  std::uint32_t other = 0;  // the number of the pool that was taken in and is no more
};

}  // namespace journal

using JournalEvent =
    std::variant<journal::Began, journal::Opened, journal::Submitted, journal::Cancelled,
                 journal::FirstToken, journal::Settled, journal::Failed, journal::Observed,
                 journal::EndpointAdded, journal::EndpointRemoved, journal::DrainingSet,
                 journal::ModelsSet, journal::HealthSet, journal::CacheForgotten,
                 journal::SessionEnded, journal::PolicySet, journal::Advanced, journal::Absorbed>;

struct JournalRecord {
  TimePoint at{};
  std::uint32_t pool = 0;  // pools are numbered by whoever records
  JournalEvent event;
};

}  // namespace turnpike::core
