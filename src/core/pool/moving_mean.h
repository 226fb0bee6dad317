#pragma once

namespace turnpike::core {

// An exponentially weighted mean that starts at a guess.
class MovingMean {
 public:
  constexpr MovingMean(double guess, double weight) : value_(guess), weight_(weight) {}

  constexpr void add(double sample) {
    value_ = samples_ == 0 ? sample : value_ + weight_ * (sample - value_);
    ++samples_;
  }
  [[nodiscard]] constexpr double value() const { return value_; }
  [[nodiscard]] constexpr long samples() const { return samples_; }

 private:
  double value_;
  double weight_;
  long samples_ = 0;
};

}  // namespace turnpike::core
