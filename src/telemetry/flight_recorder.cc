#include "telemetry/flight_recorder.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace turnpike::telemetry {

Expected<std::unique_ptr<FlightRecorder>> FlightRecorder::open(
    const FlightRecorderSettings& settings, TimePoint now, WallClock wall_clock,
    std::function<void(std::string_view)> log) {
  std::optional<JournalFiles> files;
  if (!settings.files.directory.empty()) {
    auto opened = JournalFiles::open(settings.files, wall_clock());
    if (!opened) return std::unexpected(opened.error());
    files.emplace(std::move(*opened));
  }
  return std::unique_ptr<FlightRecorder>(
      new FlightRecorder(settings, std::move(files), now, std::move(wall_clock), std::move(log)));
}

FlightRecorder::FlightRecorder(const FlightRecorderSettings& settings,
                               std::optional<JournalFiles> files, TimePoint now,
                               WallClock wall_clock, std::function<void(std::string_view)> log)
    : settings_(settings),
      wall_clock_(std::move(wall_clock)),
      log_(std::move(log)),
      writer_(static_cast<std::uint64_t>(wall_clock_())),
      files_(std::move(files)) {
  begin_segment(now);
  if (files_) thread_ = std::thread([this] { run(); });
}

FlightRecorder::~FlightRecorder() {
  hand_over(latest_);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void FlightRecorder::begin_segment(TimePoint now) {
  writer_.begin_segment(now, wall_clock_());
  at_segment_start_ = true;
  segment_size_ = 0;
}

void FlightRecorder::hand_over(TimePoint now) {
  latest_ = now;
  hand_over_at_ = now + kLinger;
  if (writer_.bytes().empty()) return;
  segment_size_ += writer_.bytes().size();
  keep(std::string(writer_.bytes()), std::exchange(at_segment_start_, false));
  writer_.taken();
  if (segment_size_ >= settings_.segment_bytes) begin_segment(now);
}

void FlightRecorder::keep(std::string bytes, bool begins_segment) {
  {
    const std::lock_guard lock(mutex_);
    counters_.bytes += bytes.size();
    counters_.memory_bytes += bytes.size();
    ring_.push_back({std::make_shared<const std::string>(std::move(bytes)), begins_segment});
    // Whole segments go, and never the one that is being recorded.
    const std::size_t bound = std::max(settings_.memory, 2 * settings_.segment_bytes);
    while (counters_.memory_bytes > bound) {
      const auto second = std::find_if(ring_.begin() + 1, ring_.end(),
                                       [](const Chunk& chunk) { return chunk.begins_segment; });
      if (second == ring_.end()) break;
      for (auto gone = ring_.begin(); gone != second; ++gone, ++first_) {
        counters_.memory_bytes -= gone->bytes->size();
        if (thread_.joinable() && first_ >= next_) counters_.dropped_bytes += gone->bytes->size();
      }
      ring_.erase(ring_.begin(), second);
    }
  }
  if (thread_.joinable()) wake_.notify_one();
}

std::string FlightRecorder::recent() const {
  std::deque<Chunk> chunks;
  {
    const std::lock_guard lock(mutex_);
    chunks = ring_;
  }
  std::string all;
  for (const Chunk& chunk : chunks) all += *chunk.bytes;
  return all;
}

void FlightRecorder::flush() {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) return;
  const std::uint64_t end = first_ + ring_.size();
  written_.wait(lock, [&] { return next_ >= end; });
}

FlightRecorder::Counters FlightRecorder::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void FlightRecorder::run() {
  bool failing = false;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return next_ < first_ + ring_.size() || stopping_; });
    if (next_ >= first_ + ring_.size()) return;
    // What has left the ring meanwhile is lost; its segment cannot be continued in the files, but the reader counts records.
    next_ = std::max(next_, first_);
    const Chunk chunk = ring_[static_cast<std::size_t>(next_ - first_)];
    lock.unlock();
    const bool ok = files_->write(*chunk.bytes, chunk.begins_segment);
    if (ok == failing) {
      failing = !ok;
      log_(ok ? std::string("the journal is written again")
              : fmt::format("cannot write the journal to {}: {}", settings_.files.directory,
                            std::generic_category().message(errno)));
    }
    lock.lock();
    if (!ok) counters_.dropped_bytes += chunk.bytes->size();
    ++next_;
    written_.notify_all();
  }
}

}  // namespace turnpike::telemetry
