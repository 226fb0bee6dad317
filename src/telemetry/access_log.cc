#include "telemetry/access_log.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "telemetry/write_all.h"

namespace turnpike::telemetry {

namespace {

// How long a line may lie before it is written. Waking the writer for every line would cost each request a system call.
constexpr auto kLinger = std::chrono::milliseconds(50);
constexpr std::size_t kFlushBytes = std::size_t{64} * 1024;

// A file that is appended to. When its name has come to mean another file, or none, as after a rotation of logs, that one is
// opened (or made) before the next write; should that fail, the old one goes on.
class LogFile {
 public:
  static std::shared_ptr<LogFile> open(const std::string& path) {
    const int fd = open_fd(path);
    return fd < 0 ? nullptr : std::make_shared<LogFile>(path, fd);
  }
  LogFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~LogFile() { ::close(fd_); }
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  bool write(std::string_view bytes) {
    if (moved()) {
      if (const int fd = open_fd(path_); fd >= 0) {
        ::close(fd_);
        fd_ = fd;
      }
    }
    return write_all(fd_, bytes);
  }

 private:
  static int open_fd(const std::string& path) {
    return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  }
  [[nodiscard]] bool moved() const {
    struct stat named{};
    struct stat opened{};
    if (::fstat(fd_, &opened) != 0) return false;
    return ::stat(path_.c_str(), &named) != 0 || named.st_ino != opened.st_ino ||
           named.st_dev != opened.st_dev;
  }

  const std::string path_;
  int fd_;
};

}  // namespace

Expected<LineSink> open_sink(const std::string& output) {
  if (output == "stdout")
    return LineSink([](std::string_view bytes) { return write_all(STDOUT_FILENO, bytes); });
  if (output == "stderr")
    return LineSink([](std::string_view bytes) { return write_all(STDERR_FILENO, bytes); });
  auto file = LogFile::open(output);
  if (!file) {
    return fail(fmt::format("cannot open the access log {}: {}", output,
                            std::generic_category().message(errno)));
  }
  // std::function copies its target, hence the shared owner.
  return LineSink([file = std::move(file)](std::string_view bytes) { return file->write(bytes); });
}

AccessLog::AccessLog(AccessLogFormat format, std::size_t queue, LineSink sink)
    : format_(format),
      bound_(std::max<std::size_t>(queue, 1)),
      sink_(std::move(sink)),
      writer_([this] { run(); }) {}

AccessLog::~AccessLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  writer_.join();
}

bool AccessLog::log(AccessRecord record) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= bound_) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    queue_.push_back(std::move(record));
    wake = !hurry_ && queue_.size() * 2 >= bound_;
    hurry_ = hurry_ || wake;
  }
  if (wake) wake_.notify_one();
  return true;
}

void AccessLog::flush() {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  wake_.notify_one();
  drained_.wait(lock, [this] { return queue_.empty() && !writing_; });
}

void AccessLog::run() {
  std::vector<AccessRecord> batch;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, kLinger, [this] { return hurry_ || stopping_; });
    hurry_ = false;
    if (queue_.empty()) {
      drained_.notify_all();
      if (stopping_) return;
      continue;
    }
    batch.swap(queue_);
    writing_ = true;
    lock.unlock();
    write(batch);
    batch.clear();
    lock.lock();
    writing_ = false;
    if (queue_.empty()) drained_.notify_all();
  }
}

void AccessLog::write(const std::vector<AccessRecord>& records) {
  std::string text;
  std::uint64_t lines = 0;
  const auto give = [&] {
    (sink_(text) ? written_ : dropped_).fetch_add(lines, std::memory_order_relaxed);
    text.clear();
    lines = 0;
  };
  for (const AccessRecord& record : records) {
    text += format_ == AccessLogFormat::json ? format_json(record) : format_text(record);
    text.push_back('\n');
    ++lines;
    if (text.size() >= kFlushBytes) give();
  }
  if (lines > 0) give();
}

}  // namespace turnpike::telemetry
