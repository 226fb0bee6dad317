#include "sim/unloaded.h"

#include <gtest/gtest.h>

#include "engine/engine.h"

namespace turnpike::sim {
namespace {

// The closed form against the model itself.
Duration simulated(const engine::Profile& profile, const Session& session) {
  engine::Engine engine({.profile = profile, .kv_tokens = TokenCount(4'000'000)});
  Duration now{};
  std::vector<engine::BlockHash> shared;
  session.extend_chain(shared, session.shared);
  if (!shared.empty()) {  // someone of its kind was here before
    EXPECT_TRUE(engine.add({.id = engine::SequenceId(999),
                            .prompt_tokens = session.shared,
                            .output_tokens = TokenCount(1),
                            .chain = shared}));
    while (engine.begin_step()) engine.finish_step();
  }
  for (std::size_t turn = 0; turn < session.turns.size(); ++turn) {
    std::vector<engine::BlockHash> chain;
    session.extend_chain(chain, session.prompt_tokens(turn) + session.turns[turn].output);
    EXPECT_TRUE(engine.add({.id = engine::SequenceId(turn),
                            .prompt_tokens = session.prompt_tokens(turn),
                            .output_tokens = session.turns[turn].output,
                            .chain = std::move(chain)}));
    now += session.turns[turn].gap;
    while (const auto took = engine.begin_step()) {
      now += *took;
      engine.finish_step();
    }
  }
  return now;
}

TEST(Unloaded, AgreesWithTheModel) {
  for (const char* const name : {"kthena-c40", "agents-closed", "chat-heavy"}) {
    const Workload& workload = *find_workload(name);
    const engine::Profile& profile = *engine::find_profile(workload.profile);
    for (std::uint64_t i = 0; i < 5; ++i) {
      const Session session = make_session(workload, 1, i);
      EXPECT_NEAR(to_seconds(unloaded_session(profile, session)),
                  to_seconds(simulated(profile, session)), 1e-4)
          << name << ' ' << i;
    }
  }
}

TEST(Unloaded, OneTokenAnswerHasNoDecode) {
  const engine::Profile& profile = *engine::find_profile("kthena-table");
  const Unloaded time = unloaded_request(profile, TokenCount(2000), TokenCount(0), TokenCount(1));
  EXPECT_EQ(time.first_token, time.total);
}

}  // namespace
}  // namespace turnpike::sim
