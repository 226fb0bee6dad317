#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "engine/engine.h"

namespace turnpike::app {

// Cumulative counts under fixed upper bounds, in seconds. One thread.
class SecondsHistogram {
 public:
  explicit SecondsHistogram(std::span<const double> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}
  void observe(double seconds);

 private:
  friend class VllmMetrics;
  std::span<const double> bounds_;
  std::vector<std::uint64_t> counts_;  // the last one: above all bounds
  double sum_ = 0;
};

// What vLLM's /metrics says, for one replica. One thread.
class VllmMetrics {
 public:
  explicit VllmMetrics(std::string model);

  void finished(std::string_view reason);
  void first_token(Duration since_arrival);
  void request_time(Duration since_arrival);

  [[nodiscard]] std::string text(const engine::Engine& engine) const;

 private:
  std::string model_;
  std::uint64_t stop_ = 0;
  std::uint64_t length_ = 0;
  SecondsHistogram first_token_;
  SecondsHistogram request_;
};

}  // namespace turnpike::app
