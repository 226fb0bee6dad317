#include "telemetry/flight_recorder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/journal/journal_reader.h"
#include "core/journal/recorded_requests.h"
#include "core/pool/pool.h"

namespace turnpike::telemetry {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kWallClock = 1'763'737'200'123'000'000;  // 2025-11-21 15:00:00.123 UTC

// A pool that is recorded, in a directory that is removed again.
class FlightRecorderTest : public testing::Test {
 protected:
  FlightRecorderTest() { fs::create_directories(directory_); }
  ~FlightRecorderTest() override { fs::remove_all(directory_); }

  void open(FlightRecorderSettings settings) {
    auto opened = FlightRecorder::open(
        settings, now_, [this] { return wall_clock_; },
        [this](std::string_view line) { log_ += std::string(line) + '\n'; });
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    recorder_ = std::move(*opened);
    pool_.emplace(*core::preset("session-boost"));
    pool_->record_to(recorder_->writer(), 0, now_);
    pool_->add_endpoint({.id = EndpointId(1), .name = "e", .models = {ModelId(1)}}, now_);
  }
  FlightRecorderSettings with_files() const {
    FlightRecorderSettings settings;
    settings.files.directory = directory_.string();
    return settings;
  }
  // `count` requests that come and end.
  void play(int count) {
    for (int i = 0; i < count; ++i) {
      now_ += milliseconds(1);
      const RequestId id(++last_);
      pool_->submit({.id = id, .model = ModelId(1), .session = SessionKey(last_ % 10)}, now_);
      pool_->settle(id, {}, now_);
      recorder_->collect(now_);
    }
  }
  static core::RecordedRequests read(const std::vector<std::string>& pieces) {
    auto requests = core::read_requests({pieces.begin(), pieces.end()});
    EXPECT_TRUE(requests.has_value()) << requests.error().message;
    return requests.value_or(core::RecordedRequests{});
  }
  core::RecordedRequests in_files() const {
    const auto pieces = read_journal(directory_.string());
    EXPECT_TRUE(pieces.has_value());
    return read(pieces.value_or(std::vector<std::string>{}));
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> names;
    for (const auto& entry : fs::directory_iterator(directory_)) names.push_back(entry.path());
    std::ranges::sort(names);
    return names;
  }

  const fs::path directory_ =
      fs::temp_directory_path() /
      ("turnpike-recorder-" +
       std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + "-" +
       std::to_string(::getpid()));
  TimePoint now_{seconds(100)};
  std::int64_t wall_clock_ = kWallClock;
  std::string log_;
  std::uint64_t last_ = 0;
  std::unique_ptr<FlightRecorder> recorder_;
  std::optional<core::Pool> pool_;
};

TEST_F(FlightRecorderTest, WhatHappenedIsInTheFileAfterTheEnd) {
  open(with_files());
  play(100);
  pool_.reset();
  recorder_.reset();
  ASSERT_EQ(files().size(), 1U);
  EXPECT_EQ(files()[0].filename(), "turnpike-20251121T150000.123Z-000000.journal");
  const core::RecordedRequests read = in_files();
  EXPECT_EQ(read.requests.size(), 100U);
  EXPECT_EQ(read.gaps, 0U);
  EXPECT_EQ(log_, "");
}

TEST_F(FlightRecorderTest, QuietTrafficIsHandedOverWithinASecond) {
  open(with_files());
  play(1);
  EXPECT_EQ(read({recorder_->recent()}).requests.size(), 1U);  // the first batch of all
  play(1);
  EXPECT_EQ(read({recorder_->recent()}).requests.size(), 1U);
  now_ += seconds(1);
  recorder_->collect(now_);
  EXPECT_EQ(read({recorder_->recent()}).requests.size(), 2U);
  recorder_->flush();
  EXPECT_EQ(in_files().requests.size(), 2U);
}

TEST_F(FlightRecorderTest, MemoryKeepsTheLatestWholeSegments) {
  open({.memory = 10'000, .segment_bytes = 2'000});
  for (int i = 0; i < 3'000; ++i) {
    play(1);
    recorder_->hand_over(now_);
    ASSERT_LE(recorder_->counters().memory_bytes, 10'000U + 2'000U);
  }
  const core::RecordedRequests read = this->read({recorder_->recent()});
  EXPECT_EQ(read.gaps, 0U);
  EXPECT_EQ(read.requests.back().submission.id, RequestId(3'000));
  EXPECT_GT(read.requests.size(), 100U);
  EXPECT_LT(read.requests.size(), 1'000U);
  EXPECT_EQ(recorder_->counters().dropped_bytes,
            0U);  // there are no files from which they could be missing
}

TEST_F(FlightRecorderTest, FilesRotateAndTheOldestGo) {
  FlightRecorderSettings settings = with_files();
  settings.segment_bytes = 2'000;
  settings.files.file_bytes = 10'000;
  settings.files.total_bytes = 35'000;
  std::ofstream(directory_ / "turnpike-20200101T000000.000Z-000000.journal") << "left by another";
  std::ofstream(directory_ / "notes.txt") << "not ours";
  open(settings);
  for (int i = 0; i < 4'000; ++i) {
    play(1);
    recorder_->hand_over(now_);
    if (i % 50 == 0) recorder_->flush();
  }
  pool_.reset();
  recorder_.reset();
  std::uintmax_t total = 0;
  std::size_t journals = 0;
  for (const fs::path& file : files()) {
    if (file.extension() != ".journal") continue;
    ++journals;
    EXPECT_LE(fs::file_size(file), 10'000U + 2'200U);  // to the end of the segment
    total += fs::file_size(file);
  }
  EXPECT_GE(journals, 3U);
  EXPECT_LE(total, 35'000U + 2'200U);
  EXPECT_TRUE(fs::exists(directory_ / "notes.txt"));
  EXPECT_FALSE(fs::exists(directory_ / "turnpike-20200101T000000.000Z-000000.journal"));
  const core::RecordedRequests read = in_files();
  EXPECT_EQ(read.gaps, 0U);  // what is there is one stretch
  EXPECT_EQ(read.requests.back().submission.id, RequestId(4'000));
}

TEST_F(FlightRecorderTest, AFailingDiskIsToldOnceAndCounted) {
  FlightRecorderSettings settings = with_files();
  settings.segment_bytes = 1'000;
  settings.files.file_bytes = 1'000;
  open(settings);
  play(20);
  recorder_->hand_over(now_);
  recorder_->flush();
  EXPECT_EQ(recorder_->counters().dropped_bytes, 0U);
  fs::remove_all(directory_);
  for (int i = 0; i < 10; ++i) {
    play(20);
    recorder_->hand_over(now_);
    recorder_->flush();
  }
  const std::uint64_t dropped = recorder_->counters().dropped_bytes;
  EXPECT_GT(dropped, 0U);
  EXPECT_EQ(std::ranges::count(log_, '\n'), 1) << log_;
  fs::create_directories(directory_);
  for (int i = 0; i < 3; ++i) {
    play(40);
    recorder_->hand_over(now_);
    recorder_->flush();
  }
  EXPECT_EQ(std::ranges::count(log_, '\n'), 2) << log_;
  EXPECT_EQ(in_files().requests.back().submission.id, RequestId(last_));
}

TEST_F(FlightRecorderTest, ADirectoryThatIsNotThereIsAnError) {
  FlightRecorderSettings settings = with_files();
  settings.files.directory += "/nowhere";
  const auto opened =
      FlightRecorder::open(settings, now_, [] { return std::int64_t{0}; }, [](std::string_view) {});
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("/nowhere: No such file"), std::string::npos)
      << opened.error().message;
  EXPECT_FALSE(read_journal(directory_.string()).has_value());
  EXPECT_FALSE(read_journal(settings.files.directory).has_value());
}

}  // namespace
}  // namespace turnpike::telemetry
