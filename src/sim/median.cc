#include "sim/median.h"

#include <algorithm>
#include <cassert>
#include <optional>

namespace turnpike::sim {
namespace {

template <typename T>
T middle(std::vector<T> values) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, at);
  return *at;
}

// The median of what `member` reads from every run.
template <typename Item, typename Member>
auto median(const std::vector<Item>& items, Member member) {
  std::vector<std::decay_t<decltype(items.front().*member)>> values;
  values.reserve(items.size());
  for (const Item& item : items) values.push_back(item.*member);
  return middle(std::move(values));
}

template <typename Item>
Distribution median_distribution(const std::vector<Item>& items, Distribution Item::* which) {
  std::vector<Distribution> all;
  all.reserve(items.size());
  for (const Item& item : items) all.push_back(item.*which);
  Distribution result;
  for (const auto part :
       {&Distribution::mean, &Distribution::p50, &Distribution::p90, &Distribution::p95,
        &Distribution::p99, &Distribution::max, &Distribution::failed_share}) {
    result.*part = median(all, part);
  }
  return result;
}

template <typename Read>
Range range(const std::vector<RunResult>& runs, Read read) {
  Range range{.least = read(runs.front()), .most = read(runs.front())};
  for (const RunResult& run : runs) {
    range.least = std::min(range.least, read(run));
    range.most = std::max(range.most, read(run));
  }
  return range;
}

// Point by point; empty if any run has none.
std::vector<double> median_curve(const std::vector<RunResult>& runs,
                                 std::vector<double> Curves::* which) {
  std::vector<double> curve((runs.front().curves.*which).size());
  for (const RunResult& run : runs) {
    if ((run.curves.*which).size() != curve.size()) return {};
  }
  for (std::size_t i = 0; i < curve.size(); ++i) {
    std::vector<double> values;
    values.reserve(runs.size());
    for (const RunResult& run : runs) values.push_back((run.curves.*which)[i]);
    curve[i] = middle(std::move(values));
  }
  return curve;
}

std::optional<TenantResult> median_tenant(const std::vector<RunResult>& runs,
                                          const std::string& name) {
  std::vector<TenantResult> same;
  for (const RunResult& run : runs) {
    const auto found = std::ranges::find(run.tenants, name, &TenantResult::tenant);
    if (found == run.tenants.end()) return std::nullopt;
    same.push_back(*found);
  }
  return TenantResult{.tenant = name,
                      .requests = median(same, &TenantResult::requests),
                      .ttft_s = median_distribution(same, &TenantResult::ttft_s),
                      .weighted_tokens = median(same, &TenantResult::weighted_tokens)};
}

}  // namespace

RunResult median_of(const std::vector<RunResult>& runs) {
  assert(!runs.empty());
  if (runs.size() == 1) return runs.front();
  using R = RunResult;
  R result;
  result.workload = runs.front().workload;
  result.policy = runs.front().policy;
  result.replicas = runs.front().replicas;
  result.sweep = runs.front().sweep;

  std::vector<R::Requests> requests;
  requests.reserve(runs.size());
  for (const R& run : runs) requests.push_back(run.requests);
  using Q = R::Requests;
  for (const auto part : {&Q::submitted, &Q::finished, &Q::rejected, &Q::timed_out, &Q::cancelled,
                          &Q::failed, &Q::unfinished}) {
    result.requests.*part = median(requests, part);
  }
  for (const auto part : {&R::sessions_started, &R::sessions_finished, &R::sessions_killed,
                          &R::sessions_unfinished, &R::rebinds, &R::pauses, &R::refusals}) {
    result.*part = median(runs, part);
  }
  for (const auto part :
       {&R::output_tokens, &R::prompt_tokens, &R::cached_tokens, &R::recomputed_tokens}) {
    result.*part = median(runs, part);
  }
  for (const auto part :
       {&R::duration_s, &R::sessions_per_minute, &R::output_tokens_per_s, &R::token_hit_rate,
        &R::hit_rate_bound, &R::jain_tenants, &R::longest_wait_s}) {
    result.*part = median(runs, part);
  }
  for (const auto part :
       {&R::ttft_s, &R::itl_s, &R::e2e_s, &R::queue_s, &R::session_completion_s, &R::slowdown}) {
    result.*part = median_distribution(runs, part);
  }
  result.ranges = {
      .sessions_per_minute = range(runs, [](const R& r) { return r.sessions_per_minute; }),
      .output_tokens_per_s = range(runs, [](const R& r) { return r.output_tokens_per_s; }),
      .ttft_mean_s = range(runs, [](const R& r) { return r.ttft_s.mean; })};
  result.curves = {.ttft_s = median_curve(runs, &Curves::ttft_s),
                   .session_completion_s = median_curve(runs, &Curves::session_completion_s),
                   .timeline = runs.front().curves.timeline};
  for (const TenantResult& tenant : runs.front().tenants) {
    if (auto middle_one = median_tenant(runs, tenant.tenant)) {
      result.tenants.push_back(*std::move(middle_one));
    }
  }
  return result;
}

}  // namespace turnpike::sim
