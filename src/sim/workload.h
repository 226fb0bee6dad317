#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/units.h"
#include "sim/session.h"

namespace turnpike::sim {

// A lognormal quantity by its median and the standard deviation of its logarithm, kept within [least, most]. Sigma 0: the
// median itself.
struct Spread {
  double median = 0;
  double sigma = 0;
  double least = 0;
  double most = std::numeric_limits<double>::infinity();

  [[nodiscard]] double draw(Random& random) const;
};

// A kind of session.
struct SessionShape {
  std::string_view name;
  double weight = 1;  // share of the sessions, relative to the other shapes of the workload
  std::string_view tenant = "default";
  std::int64_t shared_tokens = 0;  // a system prompt that all sessions of the shape begin with
  Spread first;                    // tokens of the first prompt after the shared ones
  Spread turns;                    // number of turns; used if mean_more_turns is 0
  double mean_more_turns = 0;      // else: 1 + an exponential of this mean, at most turns.most
  Spread appended;                 // tokens that each later prompt adds to the conversation
  Spread output;                   // tokens of each answer
  Spread gap_s;                    // pause between an answer and the next prompt
  bool calls_tools =
      false;  // answers end in tool calls, but for the last and those before a slow pause
  double slow_gap_share = 0;  // share of the pauses that are drawn from slow_gap_s instead
  Spread slow_gap_s{};
};

// What is not as a gateway would like it. Of the simulator; load over sockets takes the servers as they are.
struct Conditions {
  std::uint32_t gateways = 1;  // that share the engines and know nothing of each other
  // Requests that no gateway sees: sessions per second that go straight to an engine each.
  double foreign_rate = 0;
  SessionShape foreign{};
  double told_capacity =
      1;  // what engines say of their KV capacity, relative to the truth; 0: nothing
  double slow_factor = 1;        // the first replica takes so many times as long for everything
  std::int64_t host_tokens = 0;  // of a replica's second tier, in host memory
};

struct Trace;

// Who sends what, and the fleet it is meant for.
struct Workload {
  std::string name{};
  std::string_view about{};
  std::vector<SessionShape> shapes{};

  // Closed: so many sessions at a time, the next begins when one has ended. Open: sessions per second. One of the two is 0.
  std::uint32_t concurrency = 0;
  double rate = 0;
  // While `burst_begin <= t < burst_end` the rate is `burst_factor` times as high.
  double burst_factor = 1;
  Duration burst_begin{};
  Duration burst_end{};

  std::uint64_t sessions = 0;    // 0: no end but the duration
  Duration duration{};           // 0: until all sessions have ended
  Duration warm_up{};            // requests submitted before it are not reported
  Duration patience = kForever;  // a request that takes longer is given up
  double identified = 1;         // share of the sessions whose requests carry a session id

  // Sessions come from it instead of from `shapes`; when they begin too, in an open load, where it says so.
  std::shared_ptr<const Trace> trace{};
  // How the name of the trace's file begins, of a workload that is nothing without one; empty: it needs none.
  std::string_view trace_prefix{};
  double pace = 1;  // such a trace runs so many times as fast

  Conditions conditions{};

  std::uint32_t replicas = 4;
  std::string_view profile = "llama-8b-h100";
  std::int64_t kv_tokens = 300'000;
  std::uint32_t max_num_seqs = 48;
};

// The built-in workloads, in the order in which documentation lists them.
std::span<const Workload> workloads();
// Null for an unknown name.
const Workload* find_workload(std::string_view name);

// Session number `index` under `seed`: the same whatever was made before it, on every machine.
Session make_session(const Workload& workload, std::uint64_t seed, std::uint64_t index);

// A session of this shape, of what no seed decides.
Session make_session(const SessionShape& shape, std::uint64_t seed, std::uint64_t index);

// When the sessions of an open workload begin: as its trace says, else a Poisson process.
class Arrivals {
 public:
  Arrivals(const Workload& workload, std::uint64_t seed);
  // Time since the start; never less than the one before.
  Duration next();

 private:
  const Workload& workload_;
  Random random_;
  double now_s_ = 0;
  std::size_t next_ = 0;  // in the trace
};

}  // namespace turnpike::sim
