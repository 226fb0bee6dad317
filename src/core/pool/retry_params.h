#pragma once

#include <cstddef>

#include "base/units.h"

namespace turnpike::core {

// Trying another endpoint after one brought no answer.
struct RetryParams {
  int more_attempts = 2;      // after the first
  double budget_share = 0.2;  // retried requests among the active ones
  int budget_minimum = 3;     // retried requests that are always allowed
  int deadly = 2;             // after so many endpoints died of a request it goes to no other

  // A client's own retry of a request that was turned away keeps its place: how long, and how many
  // are remembered.
  Duration remember_arrival = std::chrono::minutes(2);
  std::size_t max_remembered = 10'000;

  friend bool operator==(const RetryParams&, const RetryParams&) = default;
};

}  // namespace turnpike::core
