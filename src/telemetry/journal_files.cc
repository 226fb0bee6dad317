#include "telemetry/journal_files.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "telemetry/write_all.h"

namespace turnpike::telemetry {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "turnpike-";
constexpr std::string_view kSuffix = ".journal";

struct Found {
  fs::path path;
  std::size_t bytes = 0;
};

// By name, hence by age.
std::vector<Found> journal_files(const std::string& directory, std::error_code& error) {
  std::vector<Found> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    std::error_code gone;  // somebody may remove files meanwhile
    const std::uintmax_t bytes = entry.file_size(gone);
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix) && !gone)
      found.push_back({entry.path(), static_cast<std::size_t>(bytes)});
  }
  std::ranges::sort(found, {}, &Found::path);
  return found;
}

Expected<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes;
  if (in) bytes.assign(std::istreambuf_iterator<char>(in), {});
  if (!in) return fail(fmt::format("cannot read {}", path.string()));
  return bytes;
}

}  // namespace

Expected<JournalFiles> JournalFiles::open(JournalFileLimits limits, std::int64_t wall_clock_ns) {
  if (::access(limits.directory.c_str(), W_OK | X_OK) != 0 || !fs::is_directory(limits.directory)) {
    return fail(fmt::format("cannot write the journal to the directory {}: {}", limits.directory,
                            std::generic_category().message(errno == 0 ? ENOTDIR : errno)));
  }
  const std::time_t seconds = wall_clock_ns / 1'000'000'000;
  std::string prefix = fmt::format("{}{:%Y%m%dT%H%M%S}.{:03}Z-", kPrefix, fmt::gmtime(seconds),
                                   wall_clock_ns / 1'000'000 % 1'000);
  return JournalFiles(std::move(limits), std::move(prefix));
}

JournalFiles::JournalFiles(JournalFiles&& other) noexcept
    : limits_(std::move(other.limits_)),
      prefix_(std::move(other.prefix_)),
      number_(other.number_),
      fd_(std::exchange(other.fd_, -1)),
      written_(other.written_) {}

JournalFiles::~JournalFiles() {
  close_file();
}

bool JournalFiles::write(std::string_view bytes, bool begins_segment) {
  if (begins_segment && (fd_ < 0 || written_ + bytes.size() > limits_.file_bytes)) {
    close_file();
    if (!begin_file()) return false;
  }
  if (fd_ < 0) return false;
  written_ += bytes.size();
  if (write_all(fd_, bytes)) return true;
  close_file();  // what follows could not be read behind half a record
  return false;
}

bool JournalFiles::begin_file() {
  const std::string path =
      fmt::format("{}/{}{:06}{}", limits_.directory, prefix_, number_, kSuffix);
  fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (fd_ < 0) return false;
  ++number_;
  written_ = 0;
  remove_surplus();
  return true;
}

void JournalFiles::close_file() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

// Leaves room for the file that has just begun.
void JournalFiles::remove_surplus() {
  std::error_code error;
  std::vector<Found> files = journal_files(limits_.directory, error);
  if (!files.empty()) files.pop_back();  // that one
  std::size_t total = limits_.file_bytes;
  for (const Found& file : files) total += file.bytes;
  for (const Found& file : files) {
    if (total <= limits_.total_bytes) return;
    if (fs::remove(file.path, error)) total -= file.bytes;
  }
}

Expected<std::vector<std::string>> read_journal(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    auto bytes = read_file(path);
    if (!bytes) return std::unexpected(bytes.error());
    return std::vector{std::move(*bytes)};
  }
  const std::vector<Found> files = journal_files(path, error);
  if (error || files.empty()) return fail(fmt::format("no journal files in {}", path));
  std::vector<std::string> pieces;
  for (const Found& file : files) {
    auto bytes = read_file(file.path);
    if (!bytes) return std::unexpected(bytes.error());
    pieces.push_back(std::move(*bytes));
  }
  return pieces;
}

}  // namespace turnpike::telemetry
