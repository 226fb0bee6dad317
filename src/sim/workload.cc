#include "sim/workload.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "base/hash_chain.h"

namespace turnpike::sim {
namespace {

using std::chrono::seconds;

constexpr SessionShape kAgent{.name = "agent",
                              .shared_tokens = 3000,
                              .first = {.median = 7000, .sigma = 0.5, .least = 16},
                              .turns = {.median = 14, .sigma = 0.8, .least = 2, .most = 80},
                              .appended = {.median = 800, .sigma = 1.0, .least = 50},
                              .output = {.median = 180, .sigma = 0.8, .least = 16},
                              .gap_s = {.median = 0.8, .sigma = 1.3}};

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
  single.identified = false;
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
  return all;
}

TokenCount tokens(double count) {
  return TokenCount(std::max(1LL, std::llround(count)));
}

const SessionShape& pick(std::span<const SessionShape> shapes, Random& random) {
  double total = 0;
  for (const SessionShape& shape : shapes) total += shape.weight;
  double at = random.uniform() * total;
  for (const SessionShape& shape : shapes) {
    at -= shape.weight;
    if (at < 0) return shape;
  }
  return shapes.back();
}

std::size_t draw_turns(const SessionShape& shape, Random& random) {
  if (shape.mean_more_turns <= 0) {
    return static_cast<std::size_t>(std::max(1.0, std::round(shape.turns.draw(random))));
  }
  const double count = 1 + std::floor(random.exponential(shape.mean_more_turns));
  return static_cast<std::size_t>(std::min(count, shape.turns.most));
}

}  // namespace

double Spread::draw(Random& random) const {
  const double value = sigma > 0 ? random.lognormal(median, sigma) : median;
  return std::clamp(value, least, most);
}

TokenCount Session::prompt_tokens(std::size_t turn) const {
  TokenCount total;
  for (std::size_t i = 0; i <= turn; ++i) {
    total += turns[i].appended;
    if (i < turn) total += turns[i].output;
  }
  return total;
}

void Session::extend_chain(std::vector<engine::BlockHash>& chain, TokenCount upto) const {
  const auto blocks = static_cast<std::size_t>(upto.value() / engine::kBlockTokens);
  const auto common = static_cast<std::size_t>(shared.value() / engine::kBlockTokens);
  chain.reserve(blocks);
  for (std::size_t i = chain.size(); i < blocks; ++i) {
    const engine::BlockHash before = chain.empty() ? 0 : chain.back();
    chain.push_back(chain_hash(before, i < common ? shared_text : text));
  }
}

std::span<const Workload> workloads() {
  static const std::vector<Workload> all = built_in();
  return all;
}

const Workload* find_workload(std::string_view name) {
  const auto all = workloads();
  const auto found = std::ranges::find(all, name, &Workload::name);
  return found == all.end() ? nullptr : &*found;
}

Session make_session(const Workload& workload, std::uint64_t seed, std::uint64_t index) {
  Random random(chain_hash(mix64(seed), index));
  const SessionShape& shape = pick(workload.shapes, random);
  Session session{.index = index,
                  .text = random.next(),
                  .shared_text = hash_bytes(shape.name, seed),
                  .shared = TokenCount(shape.shared_tokens),
                  .tenant = shape.tenant,
                  .shape = shape.name,
                  .turns = {}};
  const std::size_t count = draw_turns(shape, random);
  session.turns.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    Turn turn;
    turn.appended = tokens((i == 0 ? shape.first : shape.appended).draw(random));
    turn.output = tokens(shape.output.draw(random));
    if (i == 0) {
      turn.appended += session.shared;
    } else {
      const bool slow = shape.slow_gap_share > 0 && random.uniform() < shape.slow_gap_share;
      turn.gap = from_seconds((slow ? shape.slow_gap_s : shape.gap_s).draw(random));
    }
    session.turns.push_back(turn);
  }
  return session;
}

Arrivals::Arrivals(const Workload& workload, std::uint64_t seed)
    : workload_(workload), random_(mix64(seed ^ 0xa441a15ULL)) {
  assert(workload.rate > 0);
}

// Thinning: candidates at the highest rate, kept with the probability of the rate of their moment.
Duration Arrivals::next() {
  const double highest = workload_.rate * std::max(1.0, workload_.burst_factor);
  while (true) {
    now_s_ += random_.exponential(1 / highest);
    const Duration now = from_seconds(now_s_);
    const bool in_burst = now >= workload_.burst_begin && now < workload_.burst_end;
    const double rate = workload_.rate * (in_burst ? workload_.burst_factor : 1.0);
    if (rate >= highest || random_.uniform() * highest < rate) return now;
  }
}

}  // namespace turnpike::sim
