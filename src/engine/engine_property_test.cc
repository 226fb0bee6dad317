#include <algorithm>
#include <map>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/random.h"
#include "engine/engine.h"
#include "engine/engine_test_support.h"

namespace turnpike::engine {
namespace {

// Random histories of arrivals, steps and aborts against what must hold in all of them.
class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed),
        engine_(testing_support::params(static_cast<std::int64_t>(4 + random_.below(60)),
                                        static_cast<std::int64_t>(8 + random_.below(200)),
                                        static_cast<std::uint32_t>(1 + random_.below(8)))) {}

  void run() {
    for (int i = 0; i < 300; ++i) {
      switch (random_.below(4)) {
        case 0:
          arrive();
          break;
        case 1:
          leave();
          break;
        default:
          step();
          break;
      }
      check();
    }
    while (!engine_.idle()) {
      step();
      check();
    }
    const EngineGauges gauges = engine_.gauges();
    RC_ASSERT(gauges.free_blocks == gauges.total_blocks);
    RC_ASSERT(live_.empty());
    RC_ASSERT(engine_.counters().finished + engine_.counters().aborted == added_);
  }

 private:
  struct Live {
    std::int64_t output = 0;
    std::int64_t received = 0;
  };

  void arrive() {
    const auto prompt = static_cast<std::int64_t>(1 + random_.below(400));
    const auto output = static_cast<std::int64_t>(1 + random_.below(60));
    const bool fits = prompt + output <= engine_.longest_sequence().value();
    const std::uint64_t id = next_id_++;
    RC_ASSERT(engine_.add(testing_support::sequence(id, prompt, output, random_.below(5))) == fits);
    if (!fits) return;
    live_[id] = {.output = output};
    ++added_;
  }

  void leave() {
    if (live_.empty()) return;
    const auto victim =
        std::next(live_.begin(), static_cast<std::ptrdiff_t>(random_.below(live_.size())));
    RC_ASSERT(engine_.abort(SequenceId(victim->first)));
    live_.erase(victim);
  }

  void step() {
    const bool had_work = !engine_.idle();
    const auto took = engine_.begin_step();
    RC_ASSERT(took.has_value() == had_work);
    if (!took) return;
    RC_ASSERT(*took <= std::chrono::milliseconds(engine_.params().max_num_batched_tokens));
    if (random_.below(4) == 0) leave();
    if (random_.below(4) == 0) arrive();
    check();
    for (const TokenEvent& event : engine_.finish_step()) {
      const auto entry = live_.find(event.id.value());
      RC_ASSERT(entry != live_.end());
      ++entry->second.received;
      RC_ASSERT(event.first == (entry->second.received == 1));
      RC_ASSERT(event.finished == (entry->second.received == entry->second.output));
      if (event.finished) live_.erase(entry);
    }
  }

  void check() {
    RC_ASSERT(engine_.blocks_in_order());
    const EngineGauges gauges = engine_.gauges();
    RC_ASSERT(gauges.running + gauges.waiting == live_.size());
    RC_ASSERT(gauges.running <= engine_.params().max_num_seqs);
  }

  Random random_;
  Engine engine_;
  std::map<std::uint64_t, Live> live_;
  std::uint64_t next_id_ = 0;
  std::int64_t added_ = 0;
};

TEST(EngineProperty, BlocksAreConservedAndEverySequenceEndsOnce) {
  EXPECT_TRUE(rc::check("random histories", [](std::uint64_t seed) { History(seed).run(); }));
}

// Without pressure, every computed token is a prompt token that was not cached, or one that decoded.
TEST(EngineProperty, WithoutPressureNothingIsComputedTwice) {
  EXPECT_TRUE(rc::check("ample cache", [](std::uint64_t seed) {
    Random random(seed);
    Engine engine(testing_support::params(4000));
    for (std::uint64_t id = 0; id < 12; ++id) {
      RC_ASSERT(engine.add(
          testing_support::sequence(id, static_cast<std::int64_t>(1 + random.below(500)),
                                    static_cast<std::int64_t>(1 + random.below(40)), id)));
      if (random.below(2) == 0) testing_support::step(engine);
    }
    testing_support::steps(engine);
    const EngineCounters& counters = engine.counters();
    RC_ASSERT(counters.preemptions == 0);
    RC_ASSERT(counters.prefilled_tokens == counters.prompt_tokens - counters.cached_tokens);
  }));
}

// Who asks for first and last tokens only, gets these, and the same engine.
TEST(EngineProperty, TellingLessChangesNothingElse) {
  EXPECT_TRUE(rc::check("told less", [](std::uint64_t seed) {
    Random random(seed);
    EngineParams params =
        testing_support::params(30 + static_cast<std::int64_t>(random.below(60)), 64, 6);
    Engine all(params);
    params.tell_every_token = false;
    Engine some(params);
    for (std::uint64_t id = 0; id < 30 || !all.idle(); ++id) {
      if (id < 30) {
        const auto spec = testing_support::sequence(
            id, static_cast<std::int64_t>(1 + random.below(300)),
            static_cast<std::int64_t>(1 + random.below(100)), random.below(4));
        RC_ASSERT(all.add(spec) == some.add(spec));
      }
      for (std::uint64_t steps = random.below(40); steps > 0; --steps) {
        RC_ASSERT(all.begin_step() == some.begin_step());
        if (all.idle()) break;
        if (random.below(50) == 0) {
          const SequenceId gone(random.below(id + 1));
          RC_ASSERT(all.abort(gone) == some.abort(gone));
        }
        std::vector<TokenEvent> expected;
        for (const TokenEvent& event : all.finish_step()) {
          if (event.first || event.finished) expected.push_back(event);
        }
        const auto told = some.finish_step();
        RC_ASSERT(std::ranges::equal(told, expected, [](const TokenEvent& a, const TokenEvent& b) {
          return a.id == b.id && a.first == b.first && a.finished == b.finished &&
                 a.cached_tokens == b.cached_tokens;
        }));
        RC_ASSERT(all.counters().generated_tokens == some.counters().generated_tokens);
        RC_ASSERT(all.counters().preemptions == some.counters().preemptions);
        RC_ASSERT(all.gauges().free_blocks == some.gauges().free_blocks);
      }
    }
  }));
}

}  // namespace
}  // namespace turnpike::engine
