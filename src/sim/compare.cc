#include "sim/compare.h"

#include <array>
#include <cmath>
#include <iterator>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace turnpike::sim {
namespace {

using Json = nlohmann::ordered_json;

struct Figure {
  std::string_view name;
  std::string_view pointer;
  bool more_is_better;
};
constexpr std::array kFigures{
    Figure{"sessions per minute", "/sessions_per_minute", true},
    Figure{"output tokens per second", "/output_tokens_per_s", true},
    Figure{"requests finished", "/requests/finished", true},
    Figure{"sessions killed", "/sessions_killed", false},
    Figure{"share of requests failed", "/ttft_s/failed_share", false},
    Figure{"token hit rate", "/token_hit_rate", true},
    Figure{"recomputed tokens", "/recomputed_tokens", false},
    Figure{"TTFT mean, s", "/ttft_s/mean", false},
    Figure{"TTFT p50, s", "/ttft_s/p50", false},
    Figure{"TTFT p90, s", "/ttft_s/p90", false},
    Figure{"TTFT p99, s", "/ttft_s/p99", false},
    Figure{"E2E mean, s", "/e2e_s/mean", false},
    Figure{"ITL mean, s", "/itl_s/mean", false},
    Figure{"session completion p95, s", "/session_completion_s/p95", false},
    Figure{"slowdown p95", "/slowdown/p95", false},
    Figure{"Jain index over tenants", "/jain_tenants", true},
    Figure{"longest wait, s", "/longest_wait_s", false},
};

double figure_of(const Json& run, const Figure& figure) {
  const Json::json_pointer pointer{std::string(figure.pointer)};
  return run.contains(pointer) && run[pointer].is_number() ? run[pointer].get<double>() : 0.0;
}

// What it is a run of.
std::string title(const Json& run) {
  std::string text = run["workload"].get<std::string>();
  if (run.contains("/sweep/name"_json_pointer)) {
    text += fmt::format(" {}={}", run["sweep"]["name"].get<std::string>(),
                        run["sweep"]["value"].dump());
  }
  return fmt::format("{}, {}", text, run["policy"].get<std::string>());
}

// Anything below what five digits of a file show is rounding.
bool same(double a, double b) {
  return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b));
}

std::string changes(const Json& before, const Json& after) {
  std::string text;
  for (const Figure& figure : kFigures) {
    const double a = figure_of(before, figure);
    const double b = figure_of(after, figure);
    if (same(a, b)) continue;
    const std::string by = a == 0 ? "" : fmt::format("{:+.1f} %", (b - a) / a * 100);
    fmt::format_to(std::back_inserter(text), "  {:<28} {:>12.4g} -> {:>12.4g}  {:>10}  {}\n",
                   figure.name, a, b, by, (b > a) == figure.more_is_better ? "better" : "worse");
  }
  return text;
}

}  // namespace

std::string not_a_result_file(const Json& file) {
  if (!file.is_object() || file.value("schema", 0) != 1) return "is not a result file of schema 1";
  if (!file.contains("runs") || !file["runs"].is_array()) return "has no list of runs";
  for (const Json& run : file["runs"]) {
    if (!run.is_object() || !run.contains("workload") || !run["workload"].is_string() ||
        !run.contains("policy") || !run["policy"].is_string()) {
      return "has a run without workload or policy";
    }
  }
  return {};
}

std::string comparison(const Json& before, const Json& after) {
  std::map<std::string, const Json*> old;
  for (const Json& run : before["runs"]) old[title(run)] = &run;
  std::string text = fmt::format("Compared with {}:\n", before.value("started", "an earlier run"));
  for (const Json& run : after["runs"]) {
    const auto found = old.find(title(run));
    if (found == old.end()) {
      text += fmt::format("{}: is new\n", title(run));
      continue;
    }
    const std::string changed = changes(*found->second, run);
    text += fmt::format("{}:{}\n{}", title(run), changed.empty() ? " nothing has changed" : "",
                        changed);
    old.erase(found);
  }
  for (const auto& [name, run] : old) text += fmt::format("{}: only in the earlier file\n", name);
  return text;
}

}  // namespace turnpike::sim
