#include "backend/gauges.h"

#include <limits>
#include <string>

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace turnpike::backend {
namespace {

// Lines of vLLM 0.32, shortened.
constexpr std::string_view kVllm =
    R"(# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="tiny"} 3.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="tiny"} 2.0
# TYPE vllm:num_requests_waiting_by_reason gauge
vllm:num_requests_waiting_by_reason{engine="0",model_name="tiny",reason="capacity"} 2.0
vllm:kv_cache_usage_perc{engine="0",model_name="tiny"} 0.25
vllm:prefix_cache_queries_total{engine="0",model_name="tiny"} 123066.0
vllm:prefix_cache_hits_total{engine="0",model_name="tiny"} 1792.0
vllm:num_preemptions_total{engine="0",model_name="tiny"} 1.0
vllm:prompt_tokens_total{engine="0",model_name="tiny"} 123066.0
vllm:generation_tokens_total{engine="0",model_name="tiny"} 64.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="tiny"} 0.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.001",model_name="tiny"} 0.0
vllm:cache_config_info{_block_size_resolved="True",block_size="32",cache_dtype="auto",engine="0",gpu_memory_utilization="0.92",kv_cache_size_tokens="24000",num_cpu_blocks="None",num_gpu_blocks="750",num_gpu_blocks_override="750"} 1.0
process_start_time_seconds 1.79524e+09
)";

// All of llama-server's that matters.
constexpr std::string_view kLlama =
    R"(# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed, excluding cached tokens
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 15554
llamacpp:prompt_tokens_cached_total 25056
llamacpp:prompt_seconds_total 18.3125
llamacpp:tokens_predicted_total 2654
llamacpp:requests_processing 4
llamacpp:requests_deferred 6
llamacpp:n_busy_slots_per_decode 1.20936
)";

TEST(Gauges, ReadsVllm) {
  const EngineMetrics m = parse_metrics(kVllm);
  EXPECT_EQ(m.dialect, Dialect::vllm);
  EXPECT_EQ(m.gauges.running, 3);
  EXPECT_EQ(m.gauges.waiting, 2);
  EXPECT_EQ(m.gauges.kv_usage, 0.25);
  EXPECT_EQ(m.gauges.kv_capacity, TokenCount(24'000));
  EXPECT_EQ(m.prompt_tokens, 123'066.0);
  EXPECT_EQ(m.cached_tokens, 1'792.0);
  EXPECT_EQ(m.output_tokens, 64.0);
  EXPECT_EQ(m.preemptions, 1.0);
  EXPECT_EQ(m.start_time, 1.79524e9);
}

TEST(Gauges, ReadsTheAdaptersOfTheNewestRow) {
  const EngineMetrics metrics = parse_metrics(
      R"(vllm:lora_requests_info{max_lora="4",running_lora_adapters="sql",waiting_lora_adapters=""} 1.7e9
vllm:lora_requests_info{max_lora="4",running_lora_adapters="sql, chat",waiting_lora_adapters="x"} 1.8e9
vllm:lora_requests_info{max_lora="4",running_lora_adapters="",waiting_lora_adapters=""} 1.6e9
)");
  EXPECT_EQ(metrics.adapters, (std::vector<std::string>{"sql", "chat"}));
  EXPECT_EQ(metrics.gauges.adapter_places, 4);
  EXPECT_EQ(parse_metrics(R"(vllm:lora_requests_info{max_lora="-1",running_lora_adapters=","} 1)")
                .gauges.adapter_places,
            0);
  EXPECT_EQ(parse_metrics(kVllm).gauges.adapter_places, 0);
  EXPECT_EQ(parse_metrics(kVllm).gauges.cached_tokens, 1792.0);
  const std::string many = "vllm:lora_requests_info{running_lora_adapters=\"" + [] {
    std::string names;
    for (int i = 0; i < 300; ++i) names += "a" + std::to_string(i) + ",";
    return names;
  }() + "\"} 1";
  EXPECT_EQ(parse_metrics(many).adapters.size(), 256U);
}

TEST(Gauges, ReadsLlamaServer) {
  const EngineMetrics m = parse_metrics(kLlama);
  EXPECT_EQ(m.dialect, Dialect::llama_cpp);
  EXPECT_EQ(m.gauges.running, 4);
  EXPECT_EQ(m.gauges.waiting, 6);
  EXPECT_FALSE(m.gauges.kv_usage);
  EXPECT_FALSE(m.gauges.kv_capacity);
  EXPECT_EQ(m.cached_tokens, 25'056.0);
  EXPECT_EQ(m.output_tokens, 2'654.0);
}

TEST(Gauges, ReadsLlmdSim) {
  const EngineMetrics m =
      parse_metrics(R"(vllm:cache_config_info{block_size="32",num_gpu_blocks="200"} 1
vllm:kv_cache_usage_perc{model_name="tiny"} 0
vllm:num_requests_running{model_name="tiny"} 0
vllm:num_requests_waiting{model_name="tiny"} 0
)");
  EXPECT_EQ(m.gauges.kv_capacity, TokenCount(6'400));
  EXPECT_EQ(m.gauges.running, 0);
  EXPECT_EQ(m.gauges.kv_usage, 0.0);
}

TEST(Gauges, RowsOfSeveralEnginesAreSummedAndUsageIsTheirMean) {
  const EngineMetrics m = parse_metrics(R"(vllm:num_requests_running{engine="0",model_name="m"} 3
vllm:num_requests_running{engine="1",model_name="m"} 4
vllm:num_requests_waiting{engine="0",model_name="m"} 0
vllm:num_requests_waiting{engine="1",model_name="m"} 5
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.2
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.6
vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="100"} 1
vllm:cache_config_info{block_size="16",engine="1",num_gpu_blocks="50"} 1
)");
  EXPECT_EQ(m.gauges.running, 7);
  EXPECT_EQ(m.gauges.waiting, 5);
  EXPECT_DOUBLE_EQ(*m.gauges.kv_usage, 0.4);
  EXPECT_EQ(m.gauges.kv_capacity, TokenCount(2'400));
}

TEST(Gauges, NamesThatOnlyBeginAlikeAreOthers) {
  const EngineMetrics m =
      parse_metrics("vllm:num_requests_running_total 5\nxvllm:num_requests_waiting 5\n");
  EXPECT_EQ(m.dialect, Dialect::unknown);
  EXPECT_FALSE(m.gauges.running);
  EXPECT_FALSE(m.gauges.waiting);
}

TEST(Gauges, LabelsMayHoldAnything) {
  EXPECT_EQ(
      parse_metrics(
          "vllm:num_requests_running{model_name=\"a} 9\\\"b\\\\\",engine=\"0\",} 3 1795247045000\n")
          .gauges.running,
      3);
  EXPECT_EQ(parse_metrics("  vllm:num_requests_running { a = \"b\" } 3\r\n").gauges.running, 3);
}

TEST(Gauges, LinesThatMakeNoSenseAreIgnored) {
  for (const std::string_view value :
       {"", "x", "NaN", "+Inf", "-1", "1x", "1e999", "{", "{a", "{a=", "{a=\"", "{a=\"b\"",
        "{a=\"\\", "{a=\"b\"}", "{a=b} 1"}) {
    const std::string text = "vllm:num_requests_running" +
                             std::string(value.starts_with('{') ? "" : " ") + std::string(value);
    EXPECT_FALSE(parse_metrics(text).gauges.running) << text;
    EXPECT_EQ(parse_metrics(text + "\nvllm:num_requests_running 2").gauges.running, 2) << text;
  }
}

TEST(Gauges, HugeNumbersAreCutToWhatFits) {
  EXPECT_EQ(parse_metrics("vllm:num_requests_running 1e300\n").gauges.running,
            std::numeric_limits<int>::max());
  EXPECT_EQ(parse_metrics("vllm:kv_cache_usage_perc 7\n").gauges.kv_usage, 1.0);
  EXPECT_FALSE(
      parse_metrics(
          "vllm:cache_config_info{block_size=\"999999999999\",num_gpu_blocks=\"999999999999\"} 1\n")
          .gauges.kv_capacity);
  EXPECT_FALSE(
      parse_metrics("vllm:cache_config_info{block_size=\"32\",num_gpu_blocks=\"None\"} 1\n")
          .gauges.kv_capacity);
  EXPECT_FALSE(
      parse_metrics("vllm:cache_config_info{block_size=\"-32\",num_gpu_blocks=\"-32\"} 1\n")
          .gauges.kv_capacity);
}

TEST(Gauges, RowsAreBounded) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "vllm:num_requests_running 1\n";
  EXPECT_EQ(parse_metrics(text).gauges.running, 4'096);
}

TEST(Gauges, AnyBytesAreHarmless) {
  rc::check([] {
    const auto text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("vllm:num_requests_running{}=\"\\ ,10.\n")));
    const EngineMetrics metrics = parse_metrics(text);
    RC_ASSERT(!metrics.gauges.running || *metrics.gauges.running >= 0);
  });
}

std::string counters(int prompt, int output, double start) {
  return "vllm:prompt_tokens_total " + std::to_string(prompt) + "\nvllm:generation_tokens_total " +
         std::to_string(output) + "\nprocess_start_time_seconds " + std::to_string(start) + "\n";
}

TEST(GaugeReader, NoticesRestarts) {
  GaugeReader reader;
  EXPECT_FALSE(reader.read(counters(100, 10, 5)).restarted) << "the first scrape";
  EXPECT_FALSE(reader.read(counters(100, 10, 5)).restarted) << "nothing happened";
  EXPECT_FALSE(reader.read(counters(200, 20, 5)).restarted);
  EXPECT_TRUE(reader.read(counters(150, 30, 5)).restarted) << "a counter went back";
  EXPECT_FALSE(reader.read(counters(150, 30, 5)).restarted) << "once";
  EXPECT_TRUE(reader.read(counters(500, 50, 6)).restarted) << "a new start";
}

TEST(GaugeReader, AnAnswerThatIsNotMetricsIsNoRestart) {
  GaugeReader reader;
  EXPECT_FALSE(reader.read(counters(100, 10, 5)).restarted);
  EXPECT_FALSE(reader.read("<html>busy</html>").restarted);
  EXPECT_EQ(reader.dialect(), "vllm");
  EXPECT_FALSE(reader.read(counters(101, 10, 5)).restarted);
  EXPECT_TRUE(reader.read(counters(1, 0, 5)).restarted);
}

TEST(GaugeReader, ACounterThatIsAwayForOneScrapeStillTellsARestart) {
  GaugeReader reader;
  EXPECT_FALSE(reader.read(counters(100, 10, 5)).restarted);
  EXPECT_FALSE(reader.read("vllm:num_requests_running 0\n").restarted);
  EXPECT_TRUE(reader.read(counters(50, 10, 5)).restarted);
}

}  // namespace
}  // namespace turnpike::backend
