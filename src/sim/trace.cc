#include "sim/trace.h"

#include <cassert>
#include <numeric>

#include "base/hash_chain.h"
#include "base/random.h"

namespace turnpike::sim {
namespace {

// An order of 0..count-1 that depends on the seed: step through it with a stride that has no factor in common.
std::uint64_t shuffled_place(std::uint64_t place, std::uint64_t count, std::uint64_t seed) {
  std::uint64_t stride = mix64(seed) % count | 1U;
  while (std::gcd(stride, count) != 1) stride += 2;
  return (mix64(seed + 1) + place * (stride % count)) % count;
}

}  // namespace

Session Trace::session(std::uint64_t seed, std::uint64_t index, bool shuffled) const {
  assert(!sessions.empty());
  const std::uint64_t round = index / sessions.size();
  const std::uint64_t place = index % sessions.size();
  Session session =
      sessions[shuffled ? shuffled_place(place, sessions.size(), mix64(seed)) : place];
  const std::uint64_t salt = chain_hash(mix64(seed), round);
  session.index = index;
  session.piece_salt = salt;
  session.text = chain_hash(session.text, salt);
  session.shared_text = chain_hash(session.shared_text, mix64(seed));
  return session;
}

}  // namespace turnpike::sim
