#include "sim/result.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace turnpike::sim {
namespace {

// The smallest value that at least `share` of all are not above.
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

// One value for each request or session, sorted into those that finished and those that stand for a failure.
struct Samples {
  std::vector<double> finished;
  std::vector<double> failed;

  void add(bool ok, double value) { (ok ? finished : failed).push_back(value); }
  [[nodiscard]] Distribution distribution(std::vector<double>* curve = nullptr) const {
    return Distribution::of(finished, failed, curve);
  }
};

bool is_failure(Outcome outcome) {
  return outcome == Outcome::rejected || outcome == Outcome::timed_out ||
         outcome == Outcome::failed;
}

std::uint64_t& count_of(RunResult::Requests& requests, Outcome outcome) {
  switch (outcome) {
    case Outcome::finished:
      return requests.finished;
    case Outcome::rejected:
      return requests.rejected;
    case Outcome::timed_out:
      return requests.timed_out;
    case Outcome::cancelled:
      return requests.cancelled;
    case Outcome::failed:
      return requests.failed;
    case Outcome::unfinished:
      break;
  }
  return requests.unfinished;
}

struct Tenant {
  std::uint64_t requests = 0;
  Samples ttft;
  double weighted = 0;
};

double share_of(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

void summarise_requests(const std::vector<RequestRecord>& requests, Duration warm_up, Duration end,
                        RunResult& result) {
  Samples ttft;
  Samples itl;
  Samples e2e;
  Samples queue;
  std::map<std::string_view, Tenant> tenants;
  std::int64_t cacheable = 0;

  for (const RequestRecord& r : requests) {
    if (r.submitted < warm_up) continue;
    const bool ok = r.outcome == Outcome::finished;
    const bool lost = is_failure(r.outcome);
    ++result.requests.submitted;
    ++count_of(result.requests, r.outcome);
    result.output_tokens += r.output.value();
    result.prompt_tokens += r.prompt.value();
    result.cached_tokens += r.cached.value();
    cacheable += r.cacheable.value();
    result.recomputed_tokens += std::max<std::int64_t>(0, r.cacheable.value() - r.cached.value());

    Tenant& tenant = tenants[r.tenant];
    ++tenant.requests;
    tenant.weighted += (r.prompt - r.cached).as_double() + 2 * r.output.as_double();
    if (r.outcome == Outcome::cancelled) continue;

    // Who still waits when the run ends has waited at least so long.
    const Duration stop = r.outcome == Outcome::unfinished ? std::max(end, r.submitted) : r.ended;
    const double wait = to_seconds(r.first_token.value_or(stop) - r.submitted);
    const double own_ttft = lost ? to_seconds(stop - r.submitted) : wait;
    result.longest_wait_s = std::max(result.longest_wait_s, wait);
    ttft.add(!lost, own_ttft);
    tenant.ttft.add(!lost, own_ttft);
    if (r.outcome == Outcome::unfinished) continue;

    e2e.add(ok, to_seconds(r.ended - r.submitted));
    queue.add(ok, to_seconds(r.queued));
    if (!ok) {
      itl.add(false, 0);
    } else if (r.output > TokenCount(1) && r.first_token) {
      itl.add(true, to_seconds(r.ended - *r.first_token) / (r.output.as_double() - 1));
    }
  }

  result.ttft_s = ttft.distribution(&result.curves.ttft_s);
  result.itl_s = itl.distribution();
  result.e2e_s = e2e.distribution();
  result.queue_s = queue.distribution();
  result.token_hit_rate = share_of(result.cached_tokens, result.prompt_tokens);
  result.hit_rate_bound = share_of(cacheable, result.prompt_tokens);

  std::vector<double> shares;
  for (auto& [name, tenant] : tenants) {
    shares.push_back(tenant.weighted);
    result.tenants.push_back({.tenant = std::string(name),
                              .requests = tenant.requests,
                              .ttft_s = tenant.ttft.distribution(),
                              .weighted_tokens = tenant.weighted});
  }
  result.jain_tenants = jain_index(shares);
}

void summarise_sessions(const std::vector<SessionRecord>& sessions, Duration warm_up,
                        RunResult& result) {
  Samples completion;
  Samples slowdown;
  for (const SessionRecord& s : sessions) {
    if (s.began < warm_up) continue;
    ++result.sessions_started;
    if (s.end == SessionEnd::unfinished) {
      ++result.sessions_unfinished;
      continue;
    }
    const bool ok = s.end == SessionEnd::finished;
    ++(ok ? result.sessions_finished : result.sessions_killed);
    const double took = to_seconds(s.ended - s.began);
    completion.add(ok, took);
    if (s.unloaded > Duration(0)) slowdown.add(ok, took / to_seconds(s.unloaded));
  }
  result.session_completion_s = completion.distribution(&result.curves.session_completion_s);
  result.slowdown = slowdown.distribution();
}

}  // namespace

Distribution Distribution::of(std::vector<double> finished, const std::vector<double>& failed,
                              std::vector<double>* curve) {
  Distribution d;
  const std::size_t count = finished.size() + failed.size();
  if (count == 0) return d;
  const double slowest = finished.empty() ? 0.0 : *std::ranges::max_element(finished);
  for (const double own : failed) finished.push_back(std::max(own, slowest));
  std::ranges::sort(finished);
  d.mean = std::accumulate(finished.begin(), finished.end(), 0.0) / static_cast<double>(count);
  d.p50 = quantile(finished, 0.50);
  d.p90 = quantile(finished, 0.90);
  d.p95 = quantile(finished, 0.95);
  d.p99 = quantile(finished, 0.99);
  d.max = finished.back();
  if (curve != nullptr) {
    for (int percent = 0; percent <= 100; ++percent) {
      curve->push_back(quantile(finished, percent / 100.0));
    }
  }
  d.failed_share = static_cast<double>(failed.size()) / static_cast<double>(count);
  return d;
}

double jain_index(const std::vector<double>& shares) {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares == 0 ? 1.0 : sum * sum / (static_cast<double>(shares.size()) * squares);
}

void RunLog::add(const RequestRecord& request) {
  requests_.push_back(request);
}
void RunLog::add(const SessionRecord& session) {
  sessions_.push_back(session);
}

RunResult RunLog::summary(Duration end) const {
  RunResult result;
  result.duration_s = std::max(0.0, to_seconds(end - warm_up_));
  result.refusals = refusals_;
  summarise_requests(requests_, warm_up_, end, result);
  summarise_sessions(sessions_, warm_up_, result);
  if (result.duration_s > 0) {
    result.output_tokens_per_s = static_cast<double>(result.output_tokens) / result.duration_s;
    result.sessions_per_minute =
        static_cast<double>(result.sessions_finished) * 60 / result.duration_s;
  }
  return result;
}

}  // namespace turnpike::sim
