#include "core/placement/choose.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"
#include "core/placement/scorers.h"

namespace turnpike::core {
namespace {

using Candidates = std::vector<Candidate>;

std::vector<double> scores(Scorer scorer, const Candidates& candidates, std::uint64_t subject = 1) {
  std::vector<double> result(candidates.size());
  score(scorer, {}, candidates, subject, result);
  return result;
}

std::size_t chosen(const PlacementParams& params, const Candidates& candidates,
                   std::uint64_t subject = 1) {
  ChoiceScratch scratch;
  return choose(params, candidates, subject, scratch);
}

Candidate with_leases(int leases, std::uint64_t name = 0) {
  return {.name_hash = name, .leases = leases};
}

TEST(Scorers, LeastRequestSpansZeroToOne) {
  EXPECT_EQ(scores(Scorer::least_request, {with_leases(0), with_leases(5), with_leases(10)}),
            (std::vector{1.0, 0.5, 0.0}));
  EXPECT_EQ(scores(Scorer::least_request, {with_leases(3), with_leases(3)}),
            (std::vector{1.0, 1.0}));
}

TEST(Scorers, SessionAbstainsUnlessAnEndpointIsBound) {
  EXPECT_EQ(scores(Scorer::session, {{}, {}}), (std::vector{kAbstains, kAbstains}));
  EXPECT_EQ(scores(Scorer::session, {{.bound = true}, {}}), (std::vector{1.0, 0.0}));
}

TEST(Scorers, RoundRobinTakesTheNextInTurn) {
  EXPECT_EQ(scores(Scorer::round_robin, {{.turn = 4}, {.turn = 0}, {.turn = 2}}),
            (std::vector{0.0, 1.0, 0.0}));
}

TEST(Scorers, RendezvousSpreadsAndStays) {
  Candidates candidates;
  for (std::uint64_t name = 0; name < 4; ++name) candidates.push_back(with_leases(0, mix64(name)));
  std::map<std::size_t, int> count;
  int moved = 0;
  for (std::uint64_t subject = 0; subject < 4000; ++subject) {
    const std::size_t all = chosen({.scorers = {{Scorer::rendezvous, 1}}}, candidates, subject);
    const std::size_t less = chosen({.scorers = {{Scorer::rendezvous, 1}}},
                                    {candidates.begin(), candidates.begin() + 3}, subject);
    ++count[all];
    if (all != 3) moved += all == less ? 0 : 1;
  }
  for (const auto& [endpoint, n] : count) EXPECT_NEAR(n, 1000, 120) << endpoint;
  EXPECT_EQ(moved, 0) << "only the subjects of the endpoint that left move";
}

TEST(Scorers, RendezvousKeepsToTheLoadBound) {
  // mean (10 + 0 + 1) / 2 = 5.5, limit ceil(1.25 x 5.5) = 7
  const Candidates candidates = {with_leases(10, 1), with_leases(0, 2)};
  for (std::uint64_t subject = 0; subject < 50; ++subject) {
    EXPECT_EQ(chosen({.scorers = {{Scorer::rendezvous, 1}}}, candidates, subject), 1U);
  }
}

TEST(Choose, WeighsWhoDoesNotAbstain) {
  const PlacementParams params;  // session 3, prefix 1, least-request 2
  EXPECT_EQ(chosen(params, {{.leases = 10, .bound = true}, {.leases = 0}}), 0U)
      << "3/5 against 2/5";
  EXPECT_EQ(chosen(params, {{.leases = 10}, {.leases = 0}}), 1U);
}

TEST(Choose, NearTiesAreBrokenByLoadAndThenByHash) {
  const PlacementParams params{.scorers = {{Scorer::session, 1}}};
  EXPECT_EQ(chosen(params, {with_leases(3, 1), with_leases(2, 2), with_leases(4, 3)}), 1U);
  EXPECT_EQ(chosen(params, {{.leases = 1, .backlog = TokenCount(5)},
                            {.leases = 1, .backlog = TokenCount(4)}}),
            1U);
  const Candidates equal = {with_leases(1, 77), with_leases(1, 88), with_leases(1, 99)};
  const Candidates turned = {equal[2], equal[0], equal[1]};
  for (std::uint64_t subject = 0; subject < 20; ++subject) {
    EXPECT_EQ(equal[chosen(params, equal, subject)].name_hash,
              turned[chosen(params, turned, subject)].name_hash)
        << "independent of the order of the candidates";
  }
}

}  // namespace
}  // namespace turnpike::core
