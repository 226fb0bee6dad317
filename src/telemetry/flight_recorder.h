#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/units.h"
#include "core/journal/journal_writer.h"
#include "telemetry/journal_files.h"

namespace turnpike::telemetry {

struct FlightRecorderSettings {
  std::size_t memory = std::size_t{16}
                       << 20U;  // bytes of events that are kept, at least; twice a segment
  std::size_t segment_bytes = std::size_t{1} << 20U;
  JournalFileLimits files;  // no directory: no files
};

// Keeps the journal of the policy core: the latest events in memory, and all of them in files if a directory is named.
//
// The owner of the pools records through writer() and calls collect() when it has finished a batch of events; that hands whole
// records over under a mutex, a chunk at a time, and never waits for a disk. One thread writes the files, straight from the ring: should
// the disk be slower than the ring is long, what was overwritten first is missing in the files (counted; a reader sees the gap).
// The destructor hands over and writes what is left; the pools must be gone or at rest by then.
class FlightRecorder {
 public:
  using WallClock = std::function<std::int64_t()>;  // nanoseconds since 1970; the owner's thread

  // `log` is told when writing begins to fail and when it works again; any thread.
  static Expected<std::unique_ptr<FlightRecorder>> open(const FlightRecorderSettings& settings,
                                                        TimePoint now, WallClock wall_clock,
                                                        std::function<void(std::string_view)> log);
  ~FlightRecorder();
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  // The owner's role only.
  [[nodiscard]] core::JournalWriter& writer() { return writer_; }
  // Hands over what was recorded if it is much (64 KiB) or its beginning is old (a second). The owner's role only.
  void collect(TimePoint now) {
    if (writer_.bytes().size() >= kChunkBytes || now >= hand_over_at_) hand_over(now);
  }
  // Hands over everything that was recorded. The owner's role only.
  void hand_over(TimePoint now);

  // What is in memory and was handed over, as a journal. Any thread.
  [[nodiscard]] std::string recent() const;
  // Returns once everything that was handed over before has been given to the files. Any thread.
  void flush();

  struct Counters {
    std::uint64_t bytes = 0;          // recorded
    std::uint64_t memory_bytes = 0;   // of them, kept now
    std::uint64_t dropped_bytes = 0;  // that should be in the files and are not
  };
  [[nodiscard]] Counters counters() const;

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{64} << 10U;
  static constexpr Duration kLinger = std::chrono::seconds(1);

  struct Chunk {
    std::shared_ptr<const std::string>
        bytes;  // the writing thread may hold it while the ring moves on
    bool begins_segment = false;
  };

  FlightRecorder(const FlightRecorderSettings& settings, std::optional<JournalFiles> files,
                 TimePoint now, WallClock wall_clock, std::function<void(std::string_view)> log);
  void begin_segment(TimePoint now);
  void keep(std::string bytes, bool begins_segment);
  void run();

  const FlightRecorderSettings settings_;
  const WallClock wall_clock_;
  const std::function<void(std::string_view)> log_;

  // The owner's:
  core::JournalWriter writer_;
  bool at_segment_start_ = true;
  std::size_t segment_size_ = 0;
  TimePoint hand_over_at_{};
  TimePoint latest_{};

  // The writing thread's:
  std::optional<JournalFiles> files_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable written_;
  std::deque<Chunk> ring_;
  std::uint64_t first_ = 0;  // number of the ring's first chunk
  std::uint64_t next_ = 0;   // of the chunk that is to be written to a file
  Counters counters_;
  bool stopping_ = false;
  std::thread thread_;  // last; none without files
};

}  // namespace turnpike::telemetry
