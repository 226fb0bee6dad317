#include "app/engine/vllm_metrics.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace turnpike::app {
namespace {

constexpr std::array kFirstTokenBounds{0.001, 0.005, 0.01, 0.02,  0.04,  0.06,  0.08, 0.1,
                                       0.25,  0.5,   0.75, 1.0,   2.5,   5.0,   7.5,  10.0,
                                       20.0,  40.0,  80.0, 160.0, 640.0, 2560.0};
constexpr std::array kRequestBounds{0.3,  0.5,   0.8,   1.0,   1.5,   2.0,    2.5,
                                    5.0,  10.0,  15.0,  20.0,  30.0,  40.0,   50.0,
                                    60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0};

// Label values in the text format escape these three.
std::string label(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// Python's prometheus client writes every value as a float.
template <typename T>
void series(std::string& out, std::string_view name, std::string_view labels, T value) {
  if constexpr (std::is_floating_point_v<T>) {
    fmt::format_to(std::back_inserter(out), "{}{{{}}} {}\n", name, labels, value);
  } else {
    fmt::format_to(std::back_inserter(out), "{}{{{}}} {}.0\n", name, labels, value);
  }
}

void family(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

}  // namespace

void SecondsHistogram::observe(double seconds) {
  const auto bound = std::ranges::lower_bound(bounds_, seconds);
  ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
  sum_ += seconds;
}

VllmMetrics::VllmMetrics(std::string model)
    : model_(std::move(model)), first_token_(kFirstTokenBounds), request_(kRequestBounds) {}

void VllmMetrics::finished(std::string_view reason) {
  ++(reason == "stop" ? stop_ : length_);
}
void VllmMetrics::first_token(Duration since_arrival) {
  first_token_.observe(to_seconds(since_arrival));
}
void VllmMetrics::request_time(Duration since_arrival) {
  request_.observe(to_seconds(since_arrival));
}

std::string VllmMetrics::text(const engine::Engine& engine) const {
  const engine::EngineGauges gauges = engine.gauges();
  const engine::EngineCounters& counters = engine.counters();
  const std::string labels = fmt::format("engine=\"0\",model_name=\"{}\"", label(model_));
  std::string out;
  out.reserve(8192);
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value) {
    family(out, name, type, help);
    series(out, name, labels, value);
  };
  metric("vllm:num_requests_running", "gauge", "Number of requests in model execution batches.",
         gauges.running);
  metric("vllm:num_requests_waiting", "gauge", "Number of requests waiting to be processed.",
         gauges.waiting);
  family(out, "vllm:kv_cache_usage_perc", "gauge", "KV-cache usage. 1 means 100 percent usage.");
  fmt::format_to(std::back_inserter(out), "vllm:kv_cache_usage_perc{{{}}} {:.6f}\n", labels,
                 gauges.kv_usage());
  metric("vllm:prefix_cache_queries_total", "counter",
         "Prefix cache queries, in terms of number of queried tokens.", counters.prompt_tokens);
  metric("vllm:prefix_cache_hits_total", "counter",
         "Prefix cache hits, in terms of number of cached tokens.", counters.cached_tokens);
  metric("vllm:num_preemptions_total", "counter",
         "Cumulative number of preemption from the engine.", counters.preemptions);
  metric("vllm:prompt_tokens_total", "counter", "Number of prefill tokens processed.",
         counters.prompt_tokens);
  metric("vllm:prompt_tokens_cached_total", "counter",
         "Number of cached prompt tokens (local + external).", counters.cached_tokens);
  metric("vllm:generation_tokens_total", "counter", "Number of generation tokens processed.",
         counters.generated_tokens);

  family(out, "vllm:request_success_total", "counter", "Count of successfully processed requests.");
  const auto success = [&](std::string_view reason, auto value) {
    series(
        out, "vllm:request_success_total",
        fmt::format("engine=\"0\",finished_reason=\"{}\",model_name=\"{}\"", reason, label(model_)),
        value);
  };
  success("stop", stop_);
  success("length", length_);
  success("abort", counters.aborted);

  const auto histogram = [&](std::string_view name, std::string_view help,
                             const SecondsHistogram& h) {
    family(out, name, "histogram", help);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < h.counts_.size(); ++i) {
      below += h.counts_[i];
      const std::string bound = i < h.bounds_.size() ? fmt::format("{}", h.bounds_[i]) : "+Inf";
      series(out, fmt::format("{}_bucket", name),
             fmt::format("engine=\"0\",le=\"{}\",model_name=\"{}\"", bound, label(model_)), below);
    }
    series(out, fmt::format("{}_count", name), labels, below);
    series(out, fmt::format("{}_sum", name), labels, h.sum_);
  };
  histogram("vllm:time_to_first_token_seconds", "Histogram of time to first token in seconds.",
            first_token_);
  histogram("vllm:e2e_request_latency_seconds", "Histogram of e2e request latency in seconds.",
            request_);

  family(out, "vllm:cache_config_info", "gauge", "Information of the LLMEngine CacheConfig");
  fmt::format_to(
      std::back_inserter(out),
      "vllm:cache_config_info{{block_size=\"{}\",enable_prefix_caching=\"True\",engine=\"0\","
      "kv_cache_size_tokens=\"{}\",num_gpu_blocks=\"{}\"}} 1.0\n",
      engine::kBlockTokens, engine.longest_sequence().value(), gauges.total_blocks);
  return out;
}

}  // namespace turnpike::app
