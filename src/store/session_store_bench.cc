#include <benchmark/benchmark.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "store/mutex_session_store.h"
#include "store/sharded_session_store.h"

// What a request costs a store of sessions: read when it is scheduled, written when it has ended. The bare table of the policy core is
// there for comparison: it has one owner and needs neither lock nor mailbox.
namespace turnpike::store {
namespace {

const std::vector<std::string>& ids() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> made;
    for (int i = 0; i < 1'000'000; ++i) made.push_back("conversation-" + std::to_string(i));
    return made;
  }();
  return all;
}

template <typename Store>
void store(benchmark::State& state) {
  static std::unique_ptr<Store> shared;
  static const ScaledClock clock;
  const auto sessions = static_cast<std::uint64_t>(state.range(0));
  if (state.thread_index() == 0) {
    shared = std::make_unique<Store>(clock, 4'000'000);
    for (std::uint64_t i = 0; i < sessions; ++i) shared->get_or_create_for_scheduler(ids()[i]);
  }
  Random random(static_cast<std::uint64_t>(state.thread_index()) + 1);
  for (auto _ : state) {
    const std::string& id = ids()[random.below(sessions)];
    const SchedulerState inherited = shared->get_or_create_for_scheduler(id);
    shared->update_affinity(id, EndpointId(1));
    shared->update_state(id, inherited.critical_path, Duration(1), Duration(1));
  }
  state.SetItemsProcessed(state.iterations());
  if (state.thread_index() == 0) shared.reset();
}

void bare_table(benchmark::State& state) {
  const ScaledClock clock;
  const auto sessions = static_cast<std::uint64_t>(state.range(0));
  StateTable table(4'000'000);
  for (std::uint64_t i = 0; i < sessions; ++i)
    table.get_or_create(key_of(ids()[i], 1), clock.now());
  Random random(1);
  for (auto _ : state) {
    const SessionKey key = key_of(ids()[random.below(sessions)], 1);
    const SchedulerState inherited = table.get_or_create(key, clock.now());
    table.update_affinity(key, EndpointId(1), clock.now());
    table.update_state(key, inherited.critical_path, Duration(1), Duration(1), clock.now());
  }
  state.SetItemsProcessed(state.iterations());
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgName("sessions")->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->UseRealTime();
}

BENCHMARK(bare_table)->Apply(sizes);
BENCHMARK(store<MutexSessionStore>)->Apply(sizes)->Threads(1)->Threads(2)->Threads(8);
BENCHMARK(store<ShardedSessionStore>)->Apply(sizes)->Threads(1)->Threads(2)->Threads(8);

}  // namespace
}  // namespace turnpike::store
