#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/error.h"
#include "telemetry/access_record.h"

namespace turnpike::telemetry {

enum class AccessLogFormat : std::uint8_t { text, json };

// Takes bytes (whole lines) and says whether all of them were written. May block: it is called on the writer's thread only.
using LineSink = std::function<bool(std::string_view)>;

// The sink for "stdout", "stderr", or a file that is appended to. When the file was moved away or removed (log
// rotation), the next write begins it anew. An error names the file.
Expected<LineSink> open_sink(const std::string& output);

// Writes a line for every request that has ended. Owns one thread, which formats and writes; whoever logs only puts the record into
// a bounded queue and never waits for the output. When the queue is full the record is dropped and counted. log() and the counters
// may be used from any thread. The destructor writes what is queued.
class AccessLog {
 public:
  // `queue`: records that may wait, at least 1.
  AccessLog(AccessLogFormat format, std::size_t queue, LineSink sink);
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // False if it was dropped.
  bool log(AccessRecord record);
  // Returns once everything that was logged before has been given to the sink.
  void flush();

  [[nodiscard]] std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  // Because the queue was full, or the sink failed.
  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void run();
  void write(const std::vector<AccessRecord>& records);

  const AccessLogFormat format_;
  const std::size_t bound_;
  const LineSink sink_;
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_{0};

  std::mutex mutex_;
  std::condition_variable wake_;     // the writer: something to do
  std::condition_variable drained_;  // flush(): nothing left
  std::vector<AccessRecord> queue_;
  bool writing_ = false;
  bool hurry_ = false;
  bool stopping_ = false;
  std::thread writer_;  // last: it uses all of the above
};

}  // namespace turnpike::telemetry
