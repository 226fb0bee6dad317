#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"

namespace turnpike::tenant {

// What one tenant may use of one model in a minute; 0: as much as he likes.
struct MinuteLimits {
  double requests = 0;
  double input_tokens = 0;
  double output_tokens = 0;

  [[nodiscard]] bool any() const { return requests > 0 || input_tokens > 0 || output_tokens > 0; }
  friend bool operator==(const MinuteLimits&, const MinuteLimits&) = default;
};

enum class Limited : std::uint8_t { requests, input_tokens, output_tokens };
inline constexpr std::size_t kLimitedCount = 3;

// A bucket that holds a minute's worth and fills evenly. What is taken may be corrected later, in either direction, so it may be below
// empty: then nothing more goes until it has filled up again.
class MinuteBucket {
 public:
  // `limit` > 0.
  [[nodiscard]] double level(double limit, TimePoint now) const;
  // Takes `amount`, also if that is more than there is; negative: gives back.
  void take(double limit, double amount, TimePoint now);
  // Until there is `amount`, or a full bucket if that is less.
  [[nodiscard]] Duration until(double limit, double amount, TimePoint now) const;

 private:
  double used_ = 0;  // at `at_`
  TimePoint at_{};
};

// How a tenant stands with one of his limits, for the x-ratelimit headers.
struct Standing {
  Limited what = Limited::requests;
  double limit = 0;
  double remaining = 0;  // not below 0
  Duration full_in{0};
};

// The use of limits by all tenants and models that have any, for all workers. A request takes one from `requests` and its estimated
// prompt from `input_tokens`, and finds `output_tokens` not below empty; when it has ended its true counts are settled. Bounded:
// beyond `max_entries` the one used longest ago is forgotten, which is the same as full buckets. Any thread.
class RateLimits {
 public:
  explicit RateLimits(std::size_t max_entries) : max_entries_(max_entries) {}

  struct Refusal {
    Limited what = Limited::requests;
    Duration retry_after{0};
  };
  // Takes, or takes nothing and says what is used up.
  std::optional<Refusal> take(TenantKey tenant, ModelId model, const MinuteLimits& limits,
                              TokenCount input, TimePoint now);
  // `input`: what the estimate was too low by (negative: too high).
  void settle(TenantKey tenant, ModelId model, const MinuteLimits& limits, TokenCount input,
              TokenCount output, TimePoint now);

  struct Standings {
    std::array<Standing, kLimitedCount> of;
    std::size_t count = 0;  // limits that there are
  };
  [[nodiscard]] Standings standings(TenantKey tenant, ModelId model, const MinuteLimits& limits,
                                    TimePoint now) const;
  [[nodiscard]] std::size_t entries() const;
  [[nodiscard]] std::uint64_t forgotten() const;

 private:
  struct Entry {
    TenantKey tenant;
    ModelId model;
    std::array<MinuteBucket, kLimitedCount> buckets;
  };
  using Key = std::pair<TenantKey, ModelId>;
  Entry& entry(TenantKey tenant, ModelId model);

  const std::size_t max_entries_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  // last used first
  absl::flat_hash_map<Key, std::list<Entry>::iterator> index_;
  std::uint64_t forgotten_ = 0;
};

// How a tenant stands, as fields of an answer: x-ratelimit-limit-requests, -remaining-, -reset- and so on, the times in seconds.
class RateHeaders {
 public:
  using Field = std::pair<std::string_view, std::string>;

  RateHeaders() = default;
  explicit RateHeaders(const RateLimits::Standings& standings);

  // Names are lower-case texts that live for ever.
  [[nodiscard]] std::span<const Field> fields() const { return fields_; }

 private:
  std::vector<Field> fields_;
};

}  // namespace turnpike::tenant
