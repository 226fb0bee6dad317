#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <variant>

#include "base/random.h"
#include "core/journal/journal_reader.h"
#include "core/journal/journal_writer.h"

// What recording adds to the policy's owner: one request is a submission, a first token and a settlement.
namespace turnpike::core {
namespace {

// Turns of conversations whose prompts have `blocks` blocks of which one is new, as a gateway would record them.
class Traffic {
 public:
  explicit Traffic(std::size_t blocks) {
    for (std::size_t i = 0; i < blocks; ++i) turn_.blocks.push_back(random_.next());
    turn_.model = ModelId(1);
    turn_.tenant = TenantKey(7);
    turn_.streaming = true;
  }
  void record(JournalWriter& writer) {
    now_ += Duration(random_.below(2'000'000));
    turn_.id = RequestId(++last_);
    turn_.session = SessionKey(random_.next());
    turn_.prompt_hash = random_.next();
    turn_.prompt_tokens = TokenCount(static_cast<std::int64_t>(random_.below(20'000)));
    turn_.body_bytes = ByteCount(turn_.prompt_tokens.value() * 4);
    if (!turn_.blocks.empty()) turn_.blocks.back() = random_.next();
    writer.record<journal::Submitted>(0, now_, turn_);
    now_ += Duration(random_.below(2'000'000));
    writer.record<journal::FirstToken>(0, now_, RequestId(last_));
    now_ += Duration(random_.below(2'000'000));
    const Settlement settlement{.usage = {turn_.prompt_tokens, TokenCount(1'000), TokenCount(180)}};
    writer.record<journal::Settled>(0, now_, RequestId(last_), settlement);
  }
  [[nodiscard]] TimePoint now() const { return now_; }

 private:
  Random random_{1};
  Submission turn_;
  TimePoint now_{};
  std::uint64_t last_ = 0;
};

void record(benchmark::State& state) {
  Traffic traffic(static_cast<std::size_t>(state.range(0)));
  JournalWriter writer(1);
  writer.begin_segment(traffic.now(), 0);
  std::uint64_t bytes = 0;
  for (auto _ : state) {
    traffic.record(writer);
    if (writer.bytes().size() > std::size_t{64} << 10U) {
      bytes += writer.bytes().size();
      writer.taken();
    }
  }
  bytes += writer.bytes().size();
  state.counters["bytes_per_request"] =
      static_cast<double>(bytes) / static_cast<double>(state.iterations());
}
BENCHMARK(record)->ArgName("blocks")->Arg(0)->Arg(16)->Arg(200);

void read(benchmark::State& state) {
  Traffic traffic(static_cast<std::size_t>(state.range(0)));
  JournalWriter writer(1);
  writer.begin_segment(traffic.now(), 0);
  constexpr std::int64_t kRequests = 10'000;
  for (std::int64_t i = 0; i < kRequests; ++i) traffic.record(writer);
  for (auto _ : state) {
    JournalReader reader(writer.bytes());
    while (reader.next().value()) {
    }
  }
  state.SetItemsProcessed(state.iterations() * kRequests);
}
BENCHMARK(read)->ArgName("blocks")->Arg(0)->Arg(200)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace turnpike::core
