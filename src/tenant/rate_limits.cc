#include "tenant/rate_limits.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace turnpike::tenant {

namespace {

constexpr double kMinute = 60;

std::array<double, kLimitedCount> in_order(const MinuteLimits& limits) {
  return {limits.requests, limits.input_tokens, limits.output_tokens};
}

}  // namespace

double MinuteBucket::level(double limit, TimePoint now) const {
  const double filled = limit / kMinute * std::max(to_seconds(now - at_), 0.0);
  return limit - std::max(used_ - filled, 0.0);
}

void MinuteBucket::take(double limit, double amount, TimePoint now) {
  used_ = std::max(limit - level(limit, now) + amount, 0.0);
  at_ = now;
}

Duration MinuteBucket::until(double limit, double amount, TimePoint now) const {
  const double missing = std::min(amount, limit) - level(limit, now);
  return missing <= 0 ? Duration{0} : from_seconds(missing / limit * kMinute);
}

std::optional<RateLimits::Refusal> RateLimits::take(TenantKey tenant, ModelId model,
                                                    const MinuteLimits& limits, TokenCount input,
                                                    TimePoint now) {
  const std::array<double, kLimitedCount> limit = in_order(limits);
  const std::array<double, kLimitedCount> amount = {1, input.as_double(), 0};
  const std::scoped_lock lock(mutex_);
  Entry& own = entry(tenant, model);
  for (std::size_t i = 0; i < kLimitedCount; ++i) {
    if (limit[i] <= 0) continue;
    // A prompt larger than a minute's worth goes when the bucket is full: it is never refused for good.
    const double level = own.buckets[i].level(limit[i], now);
    const bool there = amount[i] > 0 ? level >= std::min(amount[i], limit[i]) : level > 0;
    if (there) continue;
    const Duration wait = own.buckets[i].until(limit[i], std::max(amount[i], 1.0), now);
    return Refusal{static_cast<Limited>(i), wait};
  }
  for (std::size_t i = 0; i < kLimitedCount; ++i) {
    if (limit[i] > 0) own.buckets[i].take(limit[i], amount[i], now);
  }
  return std::nullopt;
}

void RateLimits::settle(TenantKey tenant, ModelId model, const MinuteLimits& limits,
                        TokenCount input, TokenCount output, TimePoint now) {
  const std::scoped_lock lock(mutex_);
  Entry& own = entry(tenant, model);
  if (limits.input_tokens > 0) own.buckets[1].take(limits.input_tokens, input.as_double(), now);
  if (limits.output_tokens > 0) own.buckets[2].take(limits.output_tokens, output.as_double(), now);
}

RateLimits::Standings RateLimits::standings(TenantKey tenant, ModelId model,
                                            const MinuteLimits& limits, TimePoint now) const {
  const std::array<double, kLimitedCount> limit = in_order(limits);
  Standings standings;
  const std::scoped_lock lock(mutex_);
  const auto found = index_.find({tenant, model});
  for (std::size_t i = 0; i < kLimitedCount; ++i) {
    if (limit[i] <= 0) continue;
    Standing& one = standings.of[standings.count++];
    one = {static_cast<Limited>(i), limit[i], limit[i], Duration{0}};
    if (found == index_.end()) continue;
    const MinuteBucket& bucket = found->second->buckets[i];
    one.remaining = std::max(bucket.level(limit[i], now), 0.0);
    one.full_in = bucket.until(limit[i], limit[i], now);
  }
  return standings;
}

std::size_t RateLimits::entries() const {
  const std::scoped_lock lock(mutex_);
  return index_.size();
}

std::uint64_t RateLimits::forgotten() const {
  const std::scoped_lock lock(mutex_);
  return forgotten_;
}

RateHeaders::RateHeaders(const RateLimits::Standings& standings) {
  struct Names {
    std::string_view limit;
    std::string_view remaining;
    std::string_view reset;
  };
  static constexpr std::array<Names, kLimitedCount> kNames = {{
      {"x-ratelimit-limit-requests", "x-ratelimit-remaining-requests",
       "x-ratelimit-reset-requests"},
      {"x-ratelimit-limit-input-tokens", "x-ratelimit-remaining-input-tokens",
       "x-ratelimit-reset-input-tokens"},
      {"x-ratelimit-limit-output-tokens", "x-ratelimit-remaining-output-tokens",
       "x-ratelimit-reset-output-tokens"},
  }};
  for (std::size_t i = 0; i < standings.count; ++i) {
    const Standing& one = standings.of[i];
    const Names& names = kNames[static_cast<std::size_t>(one.what)];
    fields_.emplace_back(names.limit, fmt::format("{:.0f}", one.limit));
    fields_.emplace_back(names.remaining, fmt::format("{:.0f}", std::floor(one.remaining)));
    fields_.emplace_back(names.reset, fmt::format("{:.0f}s", std::ceil(to_seconds(one.full_in))));
  }
}

RateLimits::Entry& RateLimits::entry(TenantKey tenant, ModelId model) {
  const auto found = index_.find({tenant, model});
  if (found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front();
  }
  if (index_.size() >= max_entries_ && !entries_.empty()) {
    index_.erase({entries_.back().tenant, entries_.back().model});
    entries_.pop_back();
    ++forgotten_;
  }
  entries_.push_front({tenant, model, {}});
  index_.emplace(Key{tenant, model}, entries_.begin());
  return entries_.front();
}

}  // namespace turnpike::tenant
