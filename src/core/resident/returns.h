#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace turnpike::core {

// When sessions come back after a turn: a histogram of gaps in 40 buckets (factor 1.35 from 0.05 s), and how many do not. Halved
// every 512 turns, so that it follows.
class Returns {
 public:
  void came_back(double gap) {
    ++gaps_[bucket(gap)];
    count();
  }
  void stayed_away() { count(); }

  [[nodiscard]] double samples() const { return total_; }
  // Probability that a session is back within `hold` seconds.
  [[nodiscard]] double within(double hold) const {
    double back = 0;
    for (std::size_t i = 0; i < kBuckets && middle(i) <= hold; ++i) back += gaps_[i];
    return total_ > 0 ? back / total_ : 0;
  }
  // Mean of min(gap, hold): how long a place that is held for `hold` stands idle.
  [[nodiscard]] double idle(double hold) const {
    double seconds = total_ * hold;
    for (std::size_t i = 0; i < kBuckets && middle(i) <= hold; ++i)
      seconds -= gaps_[i] * (hold - middle(i));
    return total_ > 0 ? seconds / total_ : hold;
  }

  static constexpr std::size_t kBuckets = 40;
  static double middle(std::size_t i) {
    return 0.05 * std::pow(1.35, static_cast<double>(i) + 0.5);
  }

 private:
  static std::size_t bucket(double gap) {
    const double i = std::log(std::max(gap, 0.05) / 0.05) / std::log(1.35);
    return std::min(kBuckets - 1, static_cast<std::size_t>(i));
  }
  void count() {
    if (++total_ < 1024) return;
    total_ /= 2;
    for (double& gaps : gaps_) gaps /= 2;
  }

  std::array<double, kBuckets> gaps_{};
  double total_ = 0;
};

// Whether keeping an idle session's place is worth it: what is saved (twice the time the engine needs to compute its whole cache,
// times the chance that the session comes back in time) against the time the place stands idle. The "five-minute rule" of caches.
inline bool hold_is_worth_it(const Returns& returns, double capacity, double seconds_per_token,
                             double hold) {
  constexpr double kEnough = 30;
  return returns.samples() < kEnough ||
         2 * capacity * seconds_per_token * returns.within(hold) > returns.idle(hold);
}

// How long to keep places from now on, after a second in which somebody was refused for want of room: longer while prefill
// queues (computing is what is scarce, and a kept context saves it), shorter while none does (room is).
inline double hold_after(double hold, double backlog_seconds, double target, double least,
                         double most) {
  const double pressure = std::clamp(std::log((backlog_seconds + 0.01) / target), -1.0, 1.0);
  return std::clamp(hold * std::exp(0.02 * pressure), least, most);
}

}  // namespace turnpike::core
