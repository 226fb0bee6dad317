#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace turnpike::telemetry {

struct JournalFileLimits {
  std::string directory;
  std::size_t file_bytes = std::size_t{64} << 20U;  // about: a file ends where a segment does
  std::size_t total_bytes = std::size_t{1}
                            << 30U;  // of all journal files there; the oldest are removed
};

// The files of a journal: turnpike-TIME-NUMBER.journal in one directory, so that their names sort by age. Writes one after the
// other and removes the oldest, also those that earlier processes left. One thread.
class JournalFiles {
 public:
  // The directory must exist; an error names it. `wall_clock_ns`: now, since 1970, for the names.
  static Expected<JournalFiles> open(JournalFileLimits limits, std::int64_t wall_clock_ns);
  JournalFiles(JournalFiles&& other) noexcept;
  JournalFiles& operator=(JournalFiles&&) = delete;
  ~JournalFiles();

  // Whole records. `begins_segment`: they begin with a segment, so that they may begin a file. False if they could not be
  // written; then nothing is until the next segment begins.
  bool write(std::string_view bytes, bool begins_segment);

 private:
  JournalFiles(JournalFileLimits limits, std::string prefix)
      : limits_(std::move(limits)), prefix_(std::move(prefix)) {}
  bool begin_file();
  void close_file();
  void remove_surplus();

  JournalFileLimits limits_;
  std::string prefix_;
  unsigned number_ = 0;
  int fd_ = -1;
  std::size_t written_ = 0;  // to the open file
};

// The contents of a journal's files, oldest first: of one file, or of all in a directory. An error names what cannot be read; a
// directory without any is one.
Expected<std::vector<std::string>> read_journal(const std::string& path);

}  // namespace turnpike::telemetry
