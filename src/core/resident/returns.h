#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>

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
  // For how many seconds to keep an idle session's place, at most `most`: what maximises value x P(back within it) -
  // E[min(gap, it)], so that a place is given up when the chance that the session comes back in the next instant is worth less
  // than the instant. `value`: seconds of standing idle that finding the context again is worth. This is the "five-minute rule"
  // of caches for one gap at a time. 0: not at all. Nothing while there are too few samples to tell.
  [[nodiscard]] std::optional<double> best_hold(double value, double most) const {
    constexpr double kEnough = 30;
    if (total_ < kEnough) return std::nullopt;
    double back = 0;
    double waited = 0;  // by those that came back
    double best = 0;
    double best_gain = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      back += gaps_[i];
      waited += gaps_[i] * middle(i);
      const double hold = std::min(most, end(i));
      const double gain = value * back - waited - (total_ - back) * hold;
      if (gain > best_gain) {
        best_gain = gain;
        best = hold;
      }
      if (hold == most) break;
    }
    return best;
  }

 private:
  static constexpr std::size_t kBuckets = 40;
  static constexpr double kShortest = 0.05;
  static constexpr double kFactor = 1.35;

  static double middle(std::size_t i) {
    return kShortest * std::pow(kFactor, static_cast<double>(i) + 0.5);
  }
  static double end(std::size_t i) {
    return kShortest * std::pow(kFactor, static_cast<double>(i) + 1.0);
  }
  static std::size_t bucket(double gap) {
    const double i = std::log(std::max(gap, kShortest) / kShortest) / std::log(kFactor);
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

// What a kept place is worth from now on, after a second in which somebody was refused for want of room: more while prefill
// queues (computing is what is scarce, and a kept context saves it), less while none does (room is).
inline double worth_after(double worth, double backlog_seconds, double target, double least,
                          double most) {
  const double pressure = std::clamp(std::log((backlog_seconds + 0.01) / target), -1.0, 1.0);
  return std::clamp(worth * std::exp(0.02 * pressure), least, most);
}

}  // namespace turnpike::core
