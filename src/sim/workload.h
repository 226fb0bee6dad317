#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/units.h"
#include "engine/kv_cache.h"

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
  double slow_gap_share = 0;       // share of the pauses that are drawn from slow_gap_s instead
  Spread slow_gap_s{};
};

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
  bool identified = true;        // requests carry a session id

  std::uint32_t replicas = 4;
  std::string_view profile = "llama-8b-h100";
  std::int64_t kv_tokens = 300'000;
  std::uint32_t max_num_seqs = 48;
};

struct Turn {
  TokenCount
      appended;  // prompt tokens beyond the previous prompt and answer; the first: the whole prompt
  TokenCount output;
  Duration gap{};  // pause before this turn, 0 for the first
};

struct Session {
  std::uint64_t index = 0;
  std::uint64_t text = 0;         // names its own text
  std::uint64_t shared_text = 0;  // names the text it shares with its kind
  TokenCount shared;              // length of that
  std::string_view tenant;
  std::string_view shape;
  std::vector<Turn> turns;

  // Tokens of turn `turn`'s prompt if every answer has the length asked for.
  [[nodiscard]] TokenCount prompt_tokens(std::size_t turn) const;
  // Hashes of the whole blocks of the first `tokens` tokens of the conversation, appended to what `chain` already has of it.
  void extend_chain(std::vector<engine::BlockHash>& chain, TokenCount tokens) const;
};

// The built-in workloads, in the order in which documentation lists them.
std::span<const Workload> workloads();
// Null for an unknown name.
const Workload* find_workload(std::string_view name);

// Session number `index` under `seed`: the same whatever was made before it, on every machine.
Session make_session(const Workload& workload, std::uint64_t seed, std::uint64_t index);

// When the sessions of an open workload begin: a Poisson process.
class Arrivals {
 public:
  Arrivals(const Workload& workload, std::uint64_t seed);
  // Time since the start; never less than the one before.
  Duration next();

 private:
  const Workload& workload_;
  Random random_;
  double now_s_ = 0;
};

}  // namespace turnpike::sim
