#pragma once

#include <cstdint>

#include "base/units.h"

namespace turnpike::core {

// The policy `resident-set`: sessions whose contexts fit into the caches together run without waiting; the others wait outside
// until there is room for their whole context, least new work first, with a deadline of their own.
struct ResidentParams {
  double start_capacity = 300'000;  // tokens of an endpoint that reports none
  double capacity_gain =
      0.2;  // how far learned capacity moves towards what an answer said; 0: never
  double capacity_floor = 0.2;  // of the reported capacity: it never falls below
  // Of an endpoint's capacity: what running requests may take before others than residents wait.
  double running_share = 0.65;
  // What it is worth to find a session's context again, in times that the engine needs to compute its whole cache: start, and the
  // bounds between which it is learned. It decides for how long an idle session keeps its place.
  double worth_start = 0.3;
  double worth_min = 0.2;
  double worth_max = 0.4;
  double hold_start = 10.0;  // seconds an idle session keeps its place before enough is known
  double hold_max = 20.0;    // and at most
  double backlog_target =
      0.25;  // seconds of prefill backlog: above it a kept context is worth more, below it less
  double alpha =
      30.0;  // seconds of waiting worth 1000 tokens to compute: latency 10, balanced 30, throughput 100
  int max_resident_turns = 64;  // on an endpoint where somebody waits for a seat
  Duration max_wait = std::chrono::seconds(
      120);  // new sessions predicted to wait longer are refused; kForever: none is

  friend bool operator==(const ResidentParams&, const ResidentParams&) = default;
};

}  // namespace turnpike::core
