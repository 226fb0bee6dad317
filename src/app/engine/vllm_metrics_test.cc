#include "app/engine/vllm_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace turnpike::app {
namespace {

using ::testing::HasSubstr;

engine::Engine small_engine() {
  return engine::Engine(
      {.profile = *engine::find_profile("kthena-table"), .kv_tokens = TokenCount(160)});
}

engine::SequenceSpec sequence(std::uint64_t id, std::int64_t prompt, std::int64_t output) {
  return {.id = engine::SequenceId(id),
          .prompt_tokens = TokenCount(prompt),
          .output_tokens = TokenCount(output),
          .chain = {}};
}

TEST(VllmMetrics, GaugesAndCountersFollowTheEngine) {
  engine::Engine engine = small_engine();
  ASSERT_TRUE(engine.add(sequence(1, 80, 5)));
  ASSERT_TRUE(engine.add(sequence(2, 140, 5)));
  ASSERT_TRUE(engine.begin_step().has_value());
  engine.finish_step();
  const std::string text = VllmMetrics("tiny").text(engine);
  for (const char* const line :
       {"vllm:num_requests_running{engine=\"0\",model_name=\"tiny\"} 1.0\n",
        "vllm:num_requests_waiting{engine=\"0\",model_name=\"tiny\"} 1.0\n",
        "vllm:kv_cache_usage_perc{engine=\"0\",model_name=\"tiny\"} 0.500000\n",
        "vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"tiny\"} 80.0\n",
        "vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"tiny\"} 0.0\n",
        "vllm:num_preemptions_total{engine=\"0\",model_name=\"tiny\"} 0.0\n",
        "vllm:generation_tokens_total{engine=\"0\",model_name=\"tiny\"} 1.0\n", "block_size=\"16\"",
        "num_gpu_blocks=\"10\"", "kv_cache_size_tokens=\"160\""}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(VllmMetrics, HistogramsAreCumulative) {
  const engine::Engine engine = small_engine();
  VllmMetrics metrics("m");
  metrics.first_token(std::chrono::milliseconds(20));
  metrics.first_token(std::chrono::milliseconds(21));
  metrics.first_token(std::chrono::hours(1));
  const std::string text = metrics.text(engine);
  const std::string name = "vllm:time_to_first_token_seconds";
  EXPECT_THAT(text, HasSubstr(name + "_bucket{engine=\"0\",le=\"0.01\",model_name=\"m\"} 0.0\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{engine=\"0\",le=\"0.02\",model_name=\"m\"} 1.0\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{engine=\"0\",le=\"0.04\",model_name=\"m\"} 2.0\n"));
  EXPECT_THAT(text, HasSubstr(name + "_bucket{engine=\"0\",le=\"+Inf\",model_name=\"m\"} 3.0\n"));
  EXPECT_THAT(text, HasSubstr(name + "_count{engine=\"0\",model_name=\"m\"} 3.0\n"));
}

TEST(VllmMetrics, ModelNamesAreEscaped) {
  const engine::Engine engine = small_engine();
  EXPECT_THAT(VllmMetrics("a\"b\\c").text(engine), HasSubstr(R"(model_name="a\"b\\c")"));
}

TEST(VllmMetrics, EndsAreCountedByReason) {
  const engine::Engine engine = small_engine();
  VllmMetrics metrics("m");
  metrics.finished("stop");
  metrics.finished("length");
  metrics.finished("length");
  const std::string text = metrics.text(engine);
  EXPECT_THAT(text, HasSubstr("finished_reason=\"stop\",model_name=\"m\"} 1.0"));
  EXPECT_THAT(text, HasSubstr("finished_reason=\"length\",model_name=\"m\"} 2.0"));
}

}  // namespace
}  // namespace turnpike::app
