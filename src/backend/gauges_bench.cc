#include <string>

#include <benchmark/benchmark.h>

#include "backend/gauges.h"

namespace turnpike::backend {
namespace {

// A page like vLLM's: a handful of needed lines among many buckets of histograms.
std::string page(int histogram_lines) {
  std::string text =
      "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n"
      "vllm:num_requests_waiting{engine=\"0\",model_name=\"m\"} 2.0\n"
      "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"m\"} 0.25\n"
      "vllm:prompt_tokens_total{engine=\"0\",model_name=\"m\"} 123066.0\n"
      "vllm:cache_config_info{block_size=\"32\",engine=\"0\",num_gpu_blocks=\"750\"} 1.0\n";
  for (int i = 0; i < histogram_lines; ++i) {
    text +=
        "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.001\",model_name=\"m\"} 0.0\n";
  }
  return text;
}

void BM_ParseMetrics(benchmark::State& state) {
  const std::string text = page(static_cast<int>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(parse_metrics(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(BM_ParseMetrics)->Arg(100)->Arg(1'000);

}  // namespace
}  // namespace turnpike::backend
