#include "sim/workload.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "base/hash_chain.h"
#include "sim/trace.h"

namespace turnpike::sim {
namespace {

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

Session drawn(const SessionShape& shape, Random& random, std::uint64_t seed) {
  Session session;
  session.text = random.next();
  session.shared_text = hash_bytes(shape.name, seed);
  session.shared = TokenCount(shape.shared_tokens);
  session.tenant = shape.tenant;
  session.shape = shape.name;
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
      session.turns.back().calls_tool = shape.calls_tools && !slow;
    }
    session.turns.push_back(std::move(turn));
  }
  return session;
}

// Of the hash of something, a number in [0, 1) that nothing else was drawn from.
double share_of(std::uint64_t hash) {
  return static_cast<double>(mix64(hash) >> 11U) * 0x1.0p-53;
}

}  // namespace

double Spread::draw(Random& random) const {
  const double value = sigma > 0 ? random.lognormal(median, sigma) : median;
  return std::clamp(value, least, most);
}

Session make_session(const Workload& workload, std::uint64_t seed, std::uint64_t index) {
  Session session;
  if (workload.trace) {
    const bool in_order = workload.rate > 0 && !workload.trace->begins.empty();
    session = workload.trace->session(seed, index, !in_order);
    for (Turn& turn : session.turns) {
      if (turn.due) turn.due = from_seconds(to_seconds(*turn.due) / workload.pace);
      if (workload.rate <= 0) turn.due.reset();
    }
  } else {
    Random random(chain_hash(mix64(seed), index));
    const SessionShape& shape = pick(workload.shapes, random);
    session = drawn(shape, random, seed);
  }
  session.index = index;
  session.identified = share_of(session.text) < workload.identified;
  return session;
}

Session make_session(const SessionShape& shape, std::uint64_t seed, std::uint64_t index) {
  Random random(chain_hash(mix64(seed ^ hash_bytes(shape.name)), index));
  Session session = drawn(shape, random, seed);
  session.index = index;
  return session;
}

Arrivals::Arrivals(const Workload& workload, std::uint64_t seed)
    : workload_(workload), random_(mix64(seed ^ 0xa441a15ULL)) {
  assert(workload.rate > 0);
}

// Of a process: thinning, candidates at the highest rate, kept with the probability of the rate of their moment.
Duration Arrivals::next() {
  if (workload_.trace && !workload_.trace->begins.empty()) {
    const std::vector<Duration>& begins = workload_.trace->begins;
    // A trace that is played again begins again when it was over.
    const double rounds =
        std::floor(static_cast<double>(next_) / static_cast<double>(begins.size()));
    const double at =
        to_seconds(begins[next_++ % begins.size()]) + rounds * to_seconds(workload_.trace->span);
    return from_seconds(at / workload_.pace);
  }
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
