#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// The largest of the values added in the last ten minutes, to a minute.
class SlidingMax {
 public:
  void add(int value, TimePoint now) {
    int& bucket = at(now);
    bucket = std::max(bucket, value);
  }
  // 0 if there were none.
  [[nodiscard]] int value(TimePoint now) const {
    const std::int64_t minute = minute_of(now);
    int largest = 0;
    for (const Bucket& bucket : buckets_) {
      if (bucket.minute > minute - kMinutes) largest = std::max(largest, bucket.value);
    }
    return largest;
  }

 private:
  static constexpr std::int64_t kMinutes = 10;
  struct Bucket {
    std::int64_t minute = -kMinutes;
    int value = 0;
  };

  static std::int64_t minute_of(TimePoint t) {
    return std::chrono::floor<std::chrono::minutes>(t.time_since_epoch()).count();
  }
  int& at(TimePoint now) {
    const std::int64_t minute = minute_of(now);
    Bucket& bucket = buckets_[static_cast<std::size_t>(minute % kMinutes)];
    if (bucket.minute != minute) bucket = {.minute = minute, .value = 0};
    return bucket.value;
  }

  std::array<Bucket, kMinutes> buckets_{};
};

}  // namespace turnpike::core
