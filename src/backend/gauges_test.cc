#include "backend/gauges.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace turnpike::backend {
namespace {

constexpr auto tokens = [](std::int64_t n) { return std::optional(TokenCount(n)); };

// Trimmed from what vLLM 0.32 says.
constexpr std::string_view kVllm =
    R"(# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny"} 2.0
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="deferred"} 0.0
vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="tiny"} 123066.0
vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 1792.0
vllm:num_preemptions_total{engine="0",model_name="tiny"} 7.0
vllm:prompt_tokens_total{engine="0",model_name="tiny"} 123066.0
vllm:generation_tokens_total{engine="0",model_name="tiny"} 64.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.02",model_name="tiny"} 1.0
vllm:cache_config_info{_block_size_resolved="True",block_size="32",cache_dtype="auto",cache_hit_alignment_tokens="None",engine="0",kv_cache_dtype_skip_layers="[]",kv_cache_size_tokens="24000",num_gpu_blocks="750"} 1.0
process_start_time_seconds 1.79524700012e+09
)";

// Trimmed from what llm-d-inference-sim says: no label engine, no size in tokens.
constexpr std::string_view kLlmd =
    R"(vllm:cache_config_info{block_size="32",num_gpu_blocks="200"} 1
vllm:kv_cache_usage_perc{model_name="tiny"} 0
vllm:num_requests_running{model_name="tiny"} 1
vllm:num_requests_waiting{model_name="tiny"} 0
)";

// Trimmed from what llama-server says: no labels, no KV gauge.
constexpr std::string_view kLlama =
    R"(# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 15554
llamacpp:prompt_tokens_cached_total 25056
llamacpp:tokens_predicted_total 2654
llamacpp:prompt_tokens_seconds 2090.04
llamacpp:requests_processing 4
llamacpp:requests_deferred 6
)";

TEST(ParseMetrics, ReadsVllm) {
  const EngineMetrics metrics = parse_metrics(kVllm);
  EXPECT_EQ(metrics.dialect, Dialect::vllm);
  EXPECT_EQ(metrics.gauges.running, 3);
  EXPECT_EQ(metrics.gauges.waiting, 2) << "not counted again by reason";
  EXPECT_EQ(metrics.gauges.kv_usage, 0.25);
  EXPECT_EQ(metrics.gauges.kv_capacity, tokens(24'000));
  EXPECT_EQ(metrics.prompt_tokens, 123'066);
  EXPECT_EQ(metrics.cached_tokens, 1'792);
  EXPECT_EQ(metrics.output_tokens, 64);
  EXPECT_EQ(metrics.preemptions, 7);
  EXPECT_EQ(metrics.start_time, 1.79524700012e9);
}

TEST(ParseMetrics, CapacityIsBlocksTimesSizeWhereTokensAreNotSaid) {
  const EngineMetrics metrics = parse_metrics(kLlmd);
  EXPECT_EQ(metrics.dialect, Dialect::vllm);
  EXPECT_EQ(metrics.gauges.kv_capacity, tokens(6'400));
  EXPECT_EQ(metrics.gauges.kv_usage, 0.0);
}

TEST(ParseMetrics, ReadsLlamaServer) {
  const EngineMetrics metrics = parse_metrics(kLlama);
  EXPECT_EQ(metrics.dialect, Dialect::llama_cpp);
  EXPECT_EQ(metrics.gauges.running, 4);
  EXPECT_EQ(metrics.gauges.waiting, 6);
  EXPECT_EQ(metrics.gauges.kv_usage, std::nullopt);
  EXPECT_EQ(metrics.gauges.kv_capacity, std::nullopt);
  EXPECT_EQ(metrics.prompt_tokens, 15'554);
  EXPECT_EQ(metrics.cached_tokens, 25'056);
}

TEST(ParseMetrics, RowsOfSeveralEnginesAreSummed) {
  const EngineMetrics metrics = parse_metrics(
      "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_running{engine=\"1\"} 4\n"
      "vllm:kv_cache_usage_perc{engine=\"0\"} 0.2\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.4\n"
      "vllm:cache_config_info{engine=\"0\",block_size=\"16\",num_gpu_blocks=\"10\"} 1\n"
      "vllm:cache_config_info{engine=\"1\",block_size=\"16\",num_gpu_blocks=\"20\"} 1\n");
  EXPECT_EQ(metrics.gauges.running, 7);
  ASSERT_TRUE(metrics.gauges.kv_usage);
  EXPECT_DOUBLE_EQ(*metrics.gauges.kv_usage, 0.3);
  EXPECT_EQ(metrics.gauges.kv_capacity, tokens(480));
}

TEST(ParseMetrics, LineEndsBlanksTimestampsAndEscapesDoNotMatter) {
  const EngineMetrics metrics = parse_metrics(
      "vllm:num_requests_running{ model_name = \"a\\\"}b\" , engine=\"0\", }  2e0  1795247045\r\n"
      "  vllm:num_requests_waiting 1");
  EXPECT_EQ(metrics.gauges.running, 2);
  EXPECT_EQ(metrics.gauges.waiting, 1);
}

TEST(ParseMetrics, WhatIsNoNumberIsAbsent) {
  for (const std::string value : {"NaN", "-1", "+Inf", "x", "", "1x", "1e999", "--1"}) {
    const EngineMetrics metrics =
        parse_metrics("vllm:num_requests_running{a=\"b\"} " + value + "\n");
    EXPECT_EQ(metrics.gauges.running, std::nullopt) << value;
    EXPECT_EQ(metrics.dialect, Dialect::unknown) << value;
  }
}

TEST(ParseMetrics, WhatIsNoMetricsHasNoDialect) {
  for (const std::string_view text :
       {"", "<html>404</html>", "{\"detail\":\"Not Found\"}", "vllm:num_requests_running",
        "vllm:num_requests_running{", "vllm:num_requests_running{a",
        "vllm:num_requests_running{a=\"\\", "vllm:num_requests_running_total 3",
        "other:num_requests_running 3"}) {
    EXPECT_EQ(parse_metrics(text).dialect, Dialect::unknown) << text;
  }
}

TEST(ParseMetrics, HugeValuesStayInRange) {
  const EngineMetrics metrics = parse_metrics(
      "vllm:num_requests_running 1e300\nvllm:kv_cache_usage_perc 17\n"
      "vllm:cache_config_info{block_size=\"1099511627775\",num_gpu_blocks=\"1099511627775\"} 1\n");
  EXPECT_EQ(metrics.gauges.running, std::numeric_limits<int>::max());
  EXPECT_EQ(metrics.gauges.kv_usage, 1.0);
  EXPECT_EQ(metrics.gauges.kv_capacity, std::nullopt);
  EXPECT_EQ(parse_metrics("vllm:cache_config_info{block_size=\"None\",num_gpu_blocks=\"-5\"} 1\n")
                .gauges.kv_capacity,
            std::nullopt);
}

TEST(ParseMetrics, AnyBytesAreHarmless) {
  rc::check([] {
    const auto text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("vllm:num_requests_running{}=\"\\ ,10.\n")));
    const EngineMetrics metrics = parse_metrics(text);
    RC_ASSERT(!metrics.gauges.running || *metrics.gauges.running >= 0);
  });
}

TEST(GaugeReader, ACounterThatGoesBackMeansARestart) {
  const auto text = [](int prompt, int output) {
    return "vllm:prompt_tokens_total " + std::to_string(prompt) +
           "\nvllm:generation_tokens_total " + std::to_string(output) + "\n";
  };
  GaugeReader reader;
  EXPECT_FALSE(reader.read(text(100, 10)).restarted)
      << "the first reading has nothing to compare with";
  EXPECT_FALSE(reader.read(text(100, 10)).restarted);
  EXPECT_FALSE(reader.read(text(101, 10)).restarted);
  EXPECT_TRUE(reader.read(text(101, 9)).restarted);
  EXPECT_FALSE(reader.read(text(101, 9)).restarted) << "told once";
  EXPECT_TRUE(reader.read(text(0, 0)).restarted);
  EXPECT_EQ(reader.dialect(), "vllm");
}

TEST(GaugeReader, AnotherStartTimeMeansARestart) {
  const auto text = [](int start) {
    return "process_start_time_seconds " + std::to_string(start) + "\nvllm:prompt_tokens_total 5\n";
  };
  GaugeReader reader;
  EXPECT_FALSE(reader.read(text(1000)).restarted);
  EXPECT_FALSE(reader.read(text(1000)).restarted);
  EXPECT_TRUE(reader.read(text(1001)).restarted);
}

TEST(GaugeReader, AnAnswerThatIsNoMetricsIsNoNews) {
  GaugeReader reader;
  reader.read("vllm:prompt_tokens_total 5\n");
  EXPECT_FALSE(reader.read("<html>502</html>").restarted);
  EXPECT_EQ(reader.dialect(), "vllm");
  EXPECT_TRUE(reader.read("vllm:prompt_tokens_total 4\n").restarted)
      << "compared with the last that was metrics";
}

}  // namespace
}  // namespace turnpike::backend
