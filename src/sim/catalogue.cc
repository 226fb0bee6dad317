#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/workload.h"

namespace turnpike::sim {
namespace {

using std::chrono::seconds;

constexpr SessionShape kAgent{.name = "agent",
                              .shared_tokens = 3000,
                              .first = {.median = 7000, .sigma = 0.5, .least = 16},
                              .turns = {.median = 14, .sigma = 0.8, .least = 2, .most = 80},
                              .appended = {.median = 800, .sigma = 1.0, .least = 50},
                              .output = {.median = 180, .sigma = 0.8, .least = 16},
                              .gap_s = {.median = 0.8, .sigma = 1.3},
                              .calls_tools = true};

constexpr SessionShape kChat{.name = "chat",
                             .shared_tokens = 500,
                             .first = {.median = 250, .sigma = 0.9, .least = 8},
                             .turns = {.most = 12},
                             .mean_more_turns = 4,
                             .appended = {.median = 250, .sigma = 0.9, .least = 8},
                             .output = {.median = 220, .sigma = 0.6, .least = 4},
                             .gap_s = {.median = 15, .sigma = 0.7}};

constexpr SessionShape kConversation{.name = "conversation",
                                     .first = {.median = 2000},
                                     .turns = {.median = 10},
                                     .appended = {.median = 2002},
                                     .output = {.median = 150},
                                     .gap_s = {}};

// What passes by the gateways in shared-engine: requests without sessions, each of its own kind.
constexpr SessionShape kForeign{
    .name = "foreign",
    .first = {.median = 6000, .sigma = 0.8, .least = 16, .most = 60'000},
    .turns = {.median = 1},
    .appended = {.median = 1},
    .output = {.median = 200, .sigma = 0.6, .least = 4},
    .gap_s = {}};

constexpr SessionShape of(SessionShape shape, double weight, std::string_view tenant = "default") {
  shape.weight = weight;
  shape.tenant = tenant;
  return shape;
}

Workload timed(Workload workload, seconds duration = seconds(900)) {
  workload.duration = duration;
  workload.warm_up = duration * 15 / 100;
  return workload;
}

Workload agents_closed() {
  return timed({.name = "agents-closed",
                .about = "120 agents in a closed loop",
                .shapes = {kAgent},
                .concurrency = 120});
}

Workload kthena_c40() {
  return {.name = "kthena-c40",
          .about = "120 conversations of 10 turns without pauses, 40 at a time",
          .shapes = {kConversation},
          .concurrency = 40,
          .sessions = 120,
          .replicas = 3,
          .profile = "kthena-table",
          .kv_tokens = 150'000,
          .max_num_seqs = 256};
}

std::vector<Workload> built_in() {
  std::vector<Workload> all;
  const auto add = [&all](std::string name, std::string_view about, Workload workload) {
    workload.name = std::move(name);
    workload.about = about;
    all.push_back(std::move(workload));
  };
  const auto mix = [](double agents, double chats, double rate) {
    return timed({.shapes = {of(kAgent, agents), of(kChat, chats)}, .rate = rate});
  };

  all.push_back(kthena_c40());
  add("zero-gap", "kthena-c40 under its other name", kthena_c40());
  all.push_back(agents_closed());

  Workload small = agents_closed();
  small.concurrency = 45;
  small.replicas = 3;
  small.profile = "kthena-table";  // the machine on which other gateways were measured with it
  small.kv_tokens = 150'000;
  small.max_num_seqs = 256;
  add("agents-small", "45 agents in a closed loop on 3 replicas of 150 k tokens", small);

  Workload ample = agents_closed();
  ample.concurrency = 60;
  ample.kv_tokens = 3'000'000;
  add("ample", "60 agents and more memory than they can use", ample);

  add("agents-open", "agents, 0.35 sessions a second", timed({.shapes = {kAgent}, .rate = 0.35}));
  add("agents-open-low", "agents, 0.2 sessions a second", timed({.shapes = {kAgent}, .rate = 0.2}));
  add("mixed", "one fifth agents, the rest chats, 2 sessions a second", mix(0.2, 0.8, 2));
  add("chat-heavy", "one twentieth agents, the rest chats, 6 sessions a second",
      mix(0.05, 0.95, 6));

  Workload over = mix(0.2, 0.8, 3);
  over.patience = seconds(30);
  add("over-q30", "mixed at 3 sessions a second, given up after 30 s", over);

  SessionShape once = kChat;
  once.turns = {.median = 1};
  once.mean_more_turns = 0;
  Workload single = timed({.shapes = {once}, .rate = 12});
  single.identified = 0;
  add("single-turn", "one request a session, no ids", single);

  add("noisy-neighbour", "one tenant floods, another is modest",
      timed({.shapes = {of(kAgent, 0.85, "noisy"), of(kAgent, 0.15, "modest")}, .rate = 0.6}));

  Workload burst = mix(0.2, 0.8, 1.2);
  burst.duration = seconds(1800);
  burst.warm_up = seconds(270);
  burst.burst_factor = 2;
  burst.burst_begin = seconds(600);
  burst.burst_end = seconds(1200);
  add("burst", "mixed load that doubles for ten minutes", burst);

  SessionShape giant = of(kAgent, 0.03);
  giant.name = "giant";
  giant.first = {.median = 0.83 * 300'000 - 3000 - 3 * 1000};
  giant.turns = {.median = 4};
  Workload huge = agents_closed();
  huge.shapes = {of(kAgent, 0.97), giant};
  add("huge", "agents, 3 % of them with a context of 83 % of a replica", huge);

  Workload human = agents_closed();
  human.shapes[0].slow_gap_share = 0.15;
  human.shapes[0].slow_gap_s = {.median = 120, .sigma = 0.8};
  add("human", "agents that wait for a person in 15 % of their pauses", human);

  Workload mid_gap = agents_closed();
  mid_gap.shapes[0].gap_s = {.median = 8, .sigma = 1.3};
  add("mid-gap", "agents with pauses of 8 s in the median", mid_gap);

  Workload wrong = agents_closed();
  wrong.conditions.told_capacity = 2;
  add("wrong-capacity", "agents; engines say that they have twice the memory they have", wrong);
  wrong.conditions.told_capacity = 0.5;
  add("wrong-capacity-half", "agents; engines say that they have half the memory they have", wrong);
  wrong.conditions.told_capacity = 0;
  add("wrong-capacity-unknown", "agents; engines do not say how much memory they have", wrong);

  Workload shared = agents_closed();
  shared.conditions.gateways = 2;
  add("two-gateways", "agents; two gateways that share the engines unknowingly", shared);
  shared.concurrency = 90;
  shared.conditions.foreign_rate = 1;
  shared.conditions.foreign = kForeign;
  add("shared-engine", "the same, and a request a second that passes by both", shared);

  Workload half_speed = agents_closed();
  half_speed.conditions.slow_factor = 2;
  add("half-speed", "agents; one replica takes twice as long for everything", half_speed);

  Workload offload = agents_closed();
  offload.conditions.host_tokens = 1'200'000;
  add("offload", "agents; a host tier of four caches, from which a token costs a twentieth",
      offload);

  Workload coding = timed({.concurrency = 240}, seconds(1800));
  coding.trace_prefix = "coding";
  add("coding", "coding agents from a trace, 240 at a time; needs --trace-dir", coding);

  Workload mooncake;
  mooncake.rate = 1;  // as the trace says
  mooncake.trace_prefix = "mooncake";
  mooncake.replicas = 8;
  add("mooncake", "a conversation trace as it came in, on 8 replicas; needs --trace-dir", mooncake);
  return all;
}

}  // namespace

std::span<const Workload> workloads() {
  static const std::vector<Workload> all = built_in();
  return all;
}

const Workload* find_workload(std::string_view name) {
  const auto all = workloads();
  const auto found = std::ranges::find(all, name, &Workload::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace turnpike::sim
