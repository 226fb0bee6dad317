#pragma once

#include <cassert>
#include <cstdint>
#include <queue>
#include <vector>

#include "base/units.h"

namespace turnpike::sim {

enum class EventKind : std::uint8_t {
  arrival,      // an open load's next session begins
  ask,          // session `subject` asks, for the first time or again
  patience,     // session `subject` gives up its turn number `detail`
  engine_add,   // request `subject` reaches replica `detail`
  engine_stop,  // the news that request `subject` is unwanted reaches replica `detail`
  step_end,     // of replica `detail`
  first_token,  // of request `subject` reaches the gateway
  answer_end,   // the last token of request `subject` reaches the gateway
  turned_down,  // the engine's own refusal of request `subject` reaches the gateway
  sample,       // replica `detail` writes its gauges down for gateway `subject`
  scraped,      // and these reach it
  alarm,        // of the pool of gateway `detail`
  foreign,      // a session that no gateway sees begins
  child,        // number `detail` of the sessions that session `subject` starts begins
  look,         // the timeline's
};

struct Event {
  TimePoint at;
  std::uint64_t order = 0;  // of being pushed: ties go in this order
  EventKind kind = EventKind::alarm;
  std::uint32_t detail = 0;
  std::uint64_t subject = 0;
};

// What will happen, the earliest first; what happens at one time, in the order in which it was planned. So a run depends on
// nothing but its seed.
class EventQueue {
 public:
  void push(TimePoint at, EventKind kind, std::uint64_t subject = 0, std::uint32_t detail = 0) {
    heap_.push({.at = at, .order = pushed_++, .kind = kind, .detail = detail, .subject = subject});
  }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  // Needs !empty().
  [[nodiscard]] const Event& next() const { return heap_.top(); }
  Event pop() {
    const Event event = heap_.top();
    heap_.pop();
    return event;
  }

 private:
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return a.at != b.at ? a.at > b.at : a.order > b.order;
    }
  };
  std::priority_queue<Event, std::vector<Event>, Later> heap_;
  std::uint64_t pushed_ = 0;
};

}  // namespace turnpike::sim
