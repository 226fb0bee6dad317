#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "sim/timeline.h"

namespace turnpike::sim {

// How a request ended. Rejected: refused for good (429, 503). Timed out: waited too long, at the gateway or the client.
// Unfinished: the run was over first.
enum class Outcome : std::uint8_t { finished, rejected, timed_out, cancelled, failed, unfinished };

// One request as its client saw it: retries of a refused one are part of it. Times are simulated, since the start of the run.
struct RequestRecord {
  std::uint64_t session = 0;
  std::string_view tenant = "default";  // must outlive the log
  Outcome outcome = Outcome::unfinished;
  Duration submitted{};
  std::optional<Duration> first_token{};
  Duration ended{};
  Duration queued{};  // as the gateway reported it
  TokenCount prompt{};
  TokenCount cached{};     // as the engine reported it
  TokenCount cacheable{};  // what a cache without bound would have found
  TokenCount output{};
};

enum class SessionEnd : std::uint8_t { finished, killed, unfinished };

struct SessionRecord {
  SessionEnd end = SessionEnd::unfinished;
  Duration began{};
  Duration ended{};
  Duration unloaded{};  // what it would take on a replica of its own, pauses included; 0: not known
};

// Seconds, but for `slowdown`, which is a ratio.
struct Distribution {
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p95 = 0;
  double p99 = 0;
  double max = 0;
  double failed_share = 0;  // of the values, those that stand for failures

  // Values of what finished, and what the others had when they failed: those count as max(their own, slowest finished).
  // `curve`, if given, becomes that of the same values.
  static Distribution of(std::vector<double> finished, const std::vector<double>& failed = {},
                         std::vector<double>* curve = nullptr);
};

struct TenantResult {
  std::string tenant;
  std::uint64_t requests = 0;
  Distribution ttft_s;
  double weighted_tokens = 0;  // prompt tokens not found in a cache + 2 x output tokens
};

// For plots. A curve has the values that 0 %, 1 %, ... 100 % of all are not above; empty if there are none.
struct Curves {
  std::vector<double> ttft_s;
  std::vector<double> session_completion_s;
  std::vector<TimelinePoint> timeline;
};

// Of a sweep: the condition that was changed, and to what.
struct SweepPoint {
  std::string name;
  std::string_view about;  // must outlive it; not in the result file
  double value = 0;
};

// Of several runs under different seeds, the least and the most.
struct Range {
  double least = 0;
  double most = 0;
};
struct Ranges {
  Range sessions_per_minute;
  Range output_tokens_per_s;
  Range ttft_mean_s;
};

// What a run came to: one entry of a result file.
struct RunResult {
  std::string workload;
  std::string policy;
  std::uint32_t replicas = 0;
  std::uint64_t seed = 0;  // 0: not known, or of several
  double duration_s = 0;

  struct Requests {
    std::uint64_t submitted = 0;
    std::uint64_t finished = 0;
    std::uint64_t rejected = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t failed = 0;
    std::uint64_t unfinished = 0;
  } requests;
  std::uint64_t sessions_started = 0;
  std::uint64_t sessions_finished = 0;
  std::uint64_t sessions_killed = 0;
  std::uint64_t sessions_unfinished = 0;
  double sessions_per_minute = 0;
  double output_tokens_per_s = 0;
  std::int64_t output_tokens = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t recomputed_tokens = 0;  // found in no cache although they had been computed before
  double token_hit_rate = 0;
  double hit_rate_bound = 0;
  double jain_tenants = 1;
  std::uint64_t rebinds = 0;
  std::uint64_t pauses = 0;
  std::uint64_t refusals = 0;  // refused attempts, those that were retried among them
  double longest_wait_s = 0;   // for a first token, whoever still waits among them

  Distribution ttft_s;
  Distribution itl_s;  // a request's mean time between two tokens
  Distribution e2e_s;
  Distribution queue_s;
  Distribution session_completion_s;
  Distribution slowdown;
  std::vector<TenantResult> tenants;  // sorted by name
  std::optional<double>
      gateway_cpu_us;               // CPU time of the gateway a request, where it was asked for
  std::optional<SweepPoint> sweep;  // if it is part of one
  std::optional<Ranges> ranges;     // if these are medians
  Curves curves;                    // not in the result file
};

// What happened in a run, for the summary at its end. Requests that were submitted before `warm_up` are left out, so are
// sessions that began before it. One thread.
class RunLog {
 public:
  explicit RunLog(Duration warm_up = Duration(0)) : warm_up_(warm_up) {}

  void add(const RequestRecord& request);
  void add(const SessionRecord& session);
  void refused() { ++refusals_; }
  [[nodiscard]] std::size_t requests() const { return requests_.size(); }

  // `end` is when the run was over. The caller fills in what the log does not know: names, replicas, rebinds, pauses.
  [[nodiscard]] RunResult summary(Duration end) const;

 private:
  Duration warm_up_;
  std::vector<RequestRecord> requests_;
  std::vector<SessionRecord> sessions_;
  std::uint64_t refusals_ = 0;
};

// Jain's index of fairness: 1 if all shares are equal, 1/n if one has everything. 1 for no shares.
double jain_index(const std::vector<double>& shares);

}  // namespace turnpike::sim
