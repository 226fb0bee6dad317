#include <string>

#include <benchmark/benchmark.h>

#include "app/engine/prompt.h"

namespace turnpike::app {
namespace {

// From a body to the blocks of prompt and answer.
void understand(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  const std::string body =
      R"({"model":"m","max_tokens":150,"messages":[{"role":"user","content":")" + text + R"("}]})";
  for (auto _ : state) {
    const auto request = parse_generation(Api::chat, body);
    const std::string answer = answer_text(request->rendered, TokenCount(150));
    benchmark::DoNotOptimize(block_chain(request->rendered, answer));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(understand)->Arg(1 << 13)->Arg(1 << 16)->Arg(1 << 20);

}  // namespace
}  // namespace turnpike::app
