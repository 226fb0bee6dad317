#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/journal/codec.h"
#include "core/journal/event.h"

namespace turnpike::core {

// Writes down what happens to pools, in the order in which it happens, as bytes that the caller takes away. The bytes come in
// segments, each of which can be read by itself: it begins with the pools and endpoints there are. A pool that is told to record
// (Pool::record_to) calls this for every event; it must outlive that pool. As pure as the pools; one caller at a time.
class JournalWriter {
 public:
  // `journal`: tells the journals of different processes apart.
  explicit JournalWriter(std::uint64_t journal) : journal_(journal) {}

  // Ends the segment and begins the next; call it once before the first event. A reader who finds the segment before whole goes on
  // where it ended; one who does not starts afresh here.
  void begin_segment(TimePoint now, std::int64_t wall_clock_ns);

  // The event E of a pool, given as its members.
  template <typename E, typename... Members>
  void record(std::uint32_t pool, TimePoint now, const Members&... members) {
    static_assert(kFieldCount<E> == sizeof...(Members));
    journal::Encoder out(bytes_, context_);
    begin_record(JournalEvent(std::in_place_type<E>).index(), pool, now);
    (out.put(members), ...);
    if constexpr (kChangesRoster<E>) roster_changed(pool, E{members...});
  }

  // Whole records, encoded and not yet taken.
  [[nodiscard]] std::string_view bytes() const { return bytes_; }
  // The caller has them.
  void taken() { bytes_.clear(); }

 private:
  struct Endpoint {
    EndpointSpec spec;
    bool draining = false;
    bool healthy = true;
  };
  struct RosterOfPool {
    PoolParams params;
    std::map<EndpointId, Endpoint> endpoints;
  };
  template <typename E>
  static constexpr bool kChangesRoster =
      std::is_same_v<E, journal::Opened> || std::is_same_v<E, journal::PolicySet> ||
      std::is_same_v<E, journal::EndpointAdded> || std::is_same_v<E, journal::EndpointRemoved> ||
      std::is_same_v<E, journal::DrainingSet> || std::is_same_v<E, journal::ModelsSet> ||
      std::is_same_v<E, journal::HealthSet> || std::is_same_v<E, journal::Absorbed>;

  void begin_record(std::size_t kind, std::uint32_t pool, TimePoint now);
  void roster_changed(std::uint32_t pool, const JournalEvent& event);

  std::uint64_t journal_;
  std::uint64_t segment_ = 0;
  std::uint64_t records_ = 0;  // of this segment
  std::string bytes_;
  journal::Context context_;
  std::map<std::uint32_t, RosterOfPool> roster_;
};

}  // namespace turnpike::core
