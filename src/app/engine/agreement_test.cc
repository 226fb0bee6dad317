#include <memory>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "app/engine/prompt.h"
#include "app/engine/replica.h"
#include "app/load/conversation.h"
#include "core/preset/preset.h"
#include "sim/simulation.h"

// The stand-in server and the simulator are two bodies of one engine model: the same sessions on one replica must come to the same
// figures, although one of them is sent text and the other numbers.
namespace turnpike::app {
namespace {

// A client of the stand-in, without sockets and in virtual time.
struct Client final : Generation::Listener {
  explicit Client(sim::Session made) : session(std::move(made)), conversation(session, "m") {}
  void on_progress() override {}

  sim::Session session;
  Conversation conversation;
  std::size_t turn = 0;
  std::unique_ptr<Generation> generation;
  std::string answer;
  sim::RequestRecord record;
};

class Nobody final : public Replica::Observer {
 public:
  void on_first_token(Duration /*since_arrival*/) override {}
  void on_finished(Duration /*since_arrival*/) override {}
};

void ask(Replica& replica, Client& client, TimePoint now) {
  client.conversation.ask(client.turn);
  const auto request = parse_generation(Api::chat, client.conversation.request_body(client.turn));
  ASSERT_TRUE(request);
  const TokenCount output(request->max_tokens.value_or(1));
  client.answer = answer_text(request->rendered, output);
  client.record = {
      .submitted = now.time_since_epoch(), .prompt = prompt_tokens(*request), .output = output};
  client.generation = std::make_unique<Generation>(replica, client);
  ASSERT_TRUE(replica.start(*client.generation,
                            {.id = {},
                             .prompt_tokens = client.record.prompt,
                             .output_tokens = output,
                             .chain = block_chain(request->rendered, client.answer)},
                            now));
}

// The workload's closed loop straight on the stand-in's replica.
sim::RunResult served(const sim::Workload& workload, std::uint64_t seed) {
  Nobody nobody;
  Replica replica({.profile = *engine::find_profile(workload.profile),
                   .kv_tokens = TokenCount(workload.kv_tokens),
                   .max_num_seqs = workload.max_num_seqs},
                  nobody);
  sim::RunLog log;
  std::uint64_t next = 0;
  std::vector<std::unique_ptr<Client>> clients;
  const auto begin = [&](TimePoint now) {
    clients.push_back(std::make_unique<Client>(sim::make_session(workload, seed, next++)));
    ask(replica, *clients.back(), now);
  };
  TimePoint now{};
  while (next < workload.concurrency) begin(now);
  while (const auto step = replica.next_deadline()) {
    now = *step;
    replica.advance(now);
    for (std::size_t i = 0; i < clients.size(); ++i) {
      Client& client = *clients[i];
      if (client.generation->tokens() > 0 && !client.record.first_token) {
        client.record.first_token = now.time_since_epoch();
      }
      if (!client.generation->finished()) continue;
      client.record.outcome = sim::Outcome::finished;
      client.record.ended = now.time_since_epoch();
      client.record.cached = client.generation->cached();
      log.add(client.record);
      client.generation.reset();
      client.conversation.answered(client.answer);
      if (++client.turn < client.session.turns.size()) {
        ask(replica, client, now);
      } else {
        clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(i--));
        if (next < workload.sessions) begin(now);
      }
    }
  }
  return log.summary(now.time_since_epoch());
}

TEST(Agreement, TheStandInServerAndTheSimulatorComeToTheSameFigures) {
  sim::SimulationParams params;
  params.workload = *sim::find_workload("kthena-c40");
  params.workload.replicas = 1;
  params.workload.sessions = 24;
  params.policy = *core::preset("round-robin");
  params.network_delay = Duration(0);
  for (const std::uint32_t concurrency : {1U, 6U, 12U}) {
    SCOPED_TRACE(concurrency);
    params.workload.concurrency = concurrency;
    const sim::RunResult simulated = sim::Simulation(params).run();
    const sim::RunResult real = served(params.workload, params.seed);
    ASSERT_EQ(real.requests.finished, simulated.requests.finished);
    const auto within = [](double a, double b) { EXPECT_NEAR(a, b, 0.05 * b); };
    within(real.output_tokens_per_s, simulated.output_tokens_per_s);
    within(static_cast<double>(real.prompt_tokens), static_cast<double>(simulated.prompt_tokens));
    within(real.token_hit_rate, simulated.token_hit_rate);
    within(real.ttft_s.mean, simulated.ttft_s.mean);
    within(real.itl_s.mean, simulated.itl_s.mean);
    within(real.e2e_s.mean, simulated.e2e_s.mean);
  }
}

}  // namespace
}  // namespace turnpike::app
