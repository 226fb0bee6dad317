#include "sim/report.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace turnpike::sim {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Distribution& d) {
  return {{"mean", d.mean},
          {"p50", d.p50},
          {"p90", d.p90},
          {"p95", d.p95},
          {"p99", d.p99},
          {"max", d.max},
          {"failed_share", d.failed_share}};
}

Json to_json(const Ranges& r) {
  const auto pair = [](const Range& range) { return Json::array({range.least, range.most}); };
  return {{"sessions_per_minute", pair(r.sessions_per_minute)},
          {"output_tokens_per_s", pair(r.output_tokens_per_s)},
          {"ttft_mean_s", pair(r.ttft_mean_s)}};
}

}  // namespace

Json to_json(const RunResult& run) {
  Json tenants = Json::array();
  for (const TenantResult& t : run.tenants) {
    tenants.push_back({{"tenant", t.tenant},
                       {"requests", t.requests},
                       {"ttft_s", to_json(t.ttft_s)},
                       {"weighted_tokens", t.weighted_tokens}});
  }
  const RunResult::Requests& r = run.requests;
  Json all = {{"workload", run.workload},
              {"policy", run.policy},
              {"replicas", run.replicas},
              {"seed", run.seed},
              {"duration_s", run.duration_s},
              {"requests",
               {{"submitted", r.submitted},
                {"finished", r.finished},
                {"rejected", r.rejected},
                {"timed_out", r.timed_out},
                {"cancelled", r.cancelled},
                {"failed", r.failed},
                {"unfinished", r.unfinished}}},
              {"refusals", run.refusals},
              {"sessions_started", run.sessions_started},
              {"sessions_finished", run.sessions_finished},
              {"sessions_killed", run.sessions_killed},
              {"sessions_unfinished", run.sessions_unfinished},
              {"sessions_per_minute", run.sessions_per_minute},
              {"output_tokens", run.output_tokens},
              {"output_tokens_per_s", run.output_tokens_per_s},
              {"prompt_tokens", run.prompt_tokens},
              {"cached_tokens", run.cached_tokens},
              {"recomputed_tokens", run.recomputed_tokens},
              {"token_hit_rate", run.token_hit_rate},
              {"hit_rate_bound", run.hit_rate_bound},
              {"jain_tenants", run.jain_tenants},
              {"rebinds", run.rebinds},
              {"pauses", run.pauses},
              {"longest_wait_s", run.longest_wait_s},
              {"ttft_s", to_json(run.ttft_s)},
              {"itl_s", to_json(run.itl_s)},
              {"e2e_s", to_json(run.e2e_s)},
              {"queue_s", to_json(run.queue_s)},
              {"session_completion_s", to_json(run.session_completion_s)},
              {"slowdown", to_json(run.slowdown)},
              {"tenants", std::move(tenants)}};
  if (run.gateway_cpu_us) all["gateway_cpu_us_per_request"] = *run.gateway_cpu_us;
  if (run.sweep) all["sweep"] = {{"name", run.sweep->name}, {"value", run.sweep->value}};
  if (run.ranges) all["ranges"] = to_json(*run.ranges);
  return all;
}

Json to_json(const ResultFile& file) {
  Json runs = Json::array();
  for (const RunResult& run : file.runs) runs.push_back(to_json(run));
  Json all = {{"schema", 1},       {"command", file.command}, {"version", file.version},
              {"seed", file.seed}, {"started", file.started}, {"runs", std::move(runs)}};
  for (const RunResult& run : file.by_seed) all["by_seed"].push_back(to_json(run));
  return all;
}

std::string table(const std::vector<RunResult>& runs) {
  const bool ranges =
      std::ranges::any_of(runs, [](const RunResult& r) { return r.ranges.has_value(); });
  std::string text = fmt::format(
      "{:<22} {:<20} {:>13} {:>6} {:>7} {:>7} {:>6}{} {:>6}  {:>29}  {:>15}  {:>6} {:>9} {:>8}\n",
      "workload", "policy", "done/sent", "failed", "killed", "sess/m", "tok/s",
      ranges ? fmt::format(" {:>12}", "min..max") : "", "hit %", "TTFT mean/p50/p90/p99 ms",
      "E2E mean/p99 ms", "ITL ms", "slow p95", "wait max");
  for (const RunResult& r : runs) {
    const std::string ttft =
        fmt::format("{:.0f}/{:.0f}/{:.0f}/{:.0f}", r.ttft_s.mean * 1e3, r.ttft_s.p50 * 1e3,
                    r.ttft_s.p90 * 1e3, r.ttft_s.p99 * 1e3);
    const std::string e2e = fmt::format("{:.0f}/{:.0f}", r.e2e_s.mean * 1e3, r.e2e_s.p99 * 1e3);
    std::string range;
    if (ranges && r.ranges) {
      const Range& tokens = r.ranges->output_tokens_per_s;
      range = fmt::format(" {:>12}", fmt::format("{:.0f}..{:.0f}", tokens.least, tokens.most));
    }
    fmt::format_to(
        std::back_inserter(text),
        "{:<22} {:<20} {:>13} {:>5.1f}% {:>7} {:>7.1f} {:>6.0f}{} {:>6.1f}  {:>29}  "
        "{:>15}  {:>6.1f} {:>9.2f} {:>7.1f}s\n",
        r.sweep ? fmt::format("{} {}={:g}", r.workload, r.sweep->name, r.sweep->value) : r.workload,
        r.policy, fmt::format("{}/{}", r.requests.finished, r.requests.submitted),
        r.ttft_s.failed_share * 100, r.sessions_killed, r.sessions_per_minute,
        r.output_tokens_per_s, range, r.token_hit_rate * 100, ttft, e2e, r.itl_s.mean * 1e3,
        r.slowdown.p95, r.longest_wait_s);
  }
  return text;
}

}  // namespace turnpike::sim
