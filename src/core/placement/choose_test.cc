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
  score(scorer, {}, candidates, subject, subject, result);
  return result;
}

std::size_t chosen(const PlacementParams& params, const Candidates& candidates,
                   std::uint64_t subject = 1) {
  ChoiceScratch scratch;
  return choose(params, candidates, subject, subject, scratch).best;
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

TEST(Scorers, LoraAbstainsForRequestsThatNameNoAdapter) {
  EXPECT_EQ(scores(Scorer::lora, {{}, {}}), (std::vector{kAbstains, kAbstains}));
  EXPECT_EQ(scores(Scorer::lora, {{.adapter = 1.0}, {.adapter = 0.0}}), (std::vector{1.0, 0.0}));
}

TEST(Scorers, CacheAwareFollowsItsTable) {
  struct Row {
    int leases[3];
    double match[3];
    std::size_t blocks[3];
    std::vector<double> expected;
  };
  for (const Row& r : {
           Row{{0, 0, 0}, {0, 0.4, 0.9}, {0, 9, 9}, {0, 0, 1}},        // the best match
           Row{{0, 64, 64}, {0, 0.4, 0.9}, {0, 9, 9}, {0, 0, 1}},      // 64 more is in balance
           Row{{0, 64, 65}, {0, 0.4, 0.9}, {0, 9, 9}, {1, 0, 0}},      // 65 more is not
           Row{{130, 150, 195}, {0, 0.4, 0.9}, {0, 9, 9}, {0, 0, 1}},  // 1.5 times as many is
           Row{{130, 150, 196}, {0, 0.4, 0.9}, {0, 9, 9}, {1, 0, 0}},  //
           Row{{0, 0, 0}, {0.3, 0.2, 0.1}, {7, 5, 9}, {0, 1, 0}},      // no match: the emptiest
           Row{{0, 0, 0}, {0.31, 0.2, 0.1}, {7, 5, 9}, {1, 0, 0}},     //
           Row{{3, 2, 1}, {0.5, 0.5, 0.5}, {7, 5, 9}, {1, 1, 1}},      // a tie: load decides
       }) {
    Candidates candidates(3);
    for (std::size_t i = 0; i < 3; ++i) {
      candidates[i] = {
          .leases = r.leases[i], .prefix_share = r.match[i], .index_blocks = r.blocks[i]};
    }
    EXPECT_EQ(scores(Scorer::cache_aware, candidates), r.expected)
        << r.leases[2] << ' ' << r.match[0] << ' ' << r.match[2];
  }
  EXPECT_EQ(scores(Scorer::cache_aware, {{.index_blocks = 3}, {.index_blocks = 1}}),
            (std::vector{0.0, 1.0}));  // without fingerprints
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

TEST(Scorers, PrefixIsTheShareHeldAndAbstainsWithoutFingerprint) {
  EXPECT_EQ(scores(Scorer::prefix, {{.prefix_share = 0.25}, {}}), (std::vector{0.25, kAbstains}));
}

TEST(Scorers, LessIsBetter) {
  const Candidate light{.leases = 1, .backlog = TokenCount(100), .uncached = TokenCount(100)};
  const Candidate heavy{.leases = 3, .backlog = TokenCount(0), .uncached = TokenCount(300)};
  EXPECT_EQ(scores(Scorer::least_tokens, {light, heavy}), (std::vector{1.0, 0.0}));
  EXPECT_EQ(scores(Scorer::lmetric, {light, heavy}), (std::vector{1.0, 0.0}));
  EXPECT_EQ(scores(Scorer::kv_usage, {{.kv_usage = 0.2}, {}, {.kv_usage = 0.6}}),
            (std::vector{1.0, kAbstains, 0.0}));
  EXPECT_EQ(scores(Scorer::least_latency, {{.ttft = 1.0, .itl = 0.02}, {.ttft = 2.0, .itl = 0.01}}),
            (std::vector{0.5, 0.5}));
  EXPECT_EQ(scores(Scorer::least_latency, {{.ttft = 1.0}, {.ttft = 2.0}}), (std::vector{1.0, 0.0}));
}

TEST(Scorers, PowerOfTwoNeverTakesTheMostLoadedOfThree) {
  const Candidates candidates = {with_leases(9, 1), with_leases(1, 2), with_leases(2, 3)};
  std::map<std::size_t, int> count;
  for (std::uint64_t request = 0; request < 300; ++request) {
    ++count[chosen({.scorers = {{Scorer::power_of_two, 1}}}, candidates, request)];
  }
  EXPECT_EQ(count[0], 0);
  EXPECT_GT(count[1], count[2]);
  EXPECT_GT(count[2], 50);
}

TEST(Scorers, RandomSpreads) {
  const Candidates candidates = {with_leases(0, 1), with_leases(0, 2)};
  std::map<std::size_t, int> count;
  for (std::uint64_t request = 0; request < 1000; ++request) {
    ++count[chosen({.scorers = {{Scorer::random, 1}}}, candidates, request)];
  }
  EXPECT_NEAR(count[0], 500, 80);
}

TEST(Choose, ACrowdedEndpointComesLastAndADoubtfulOneLater) {
  const PlacementParams params{.scorers = {{Scorer::least_request, 1}}};
  EXPECT_EQ(chosen(params, {{.leases = 0, .crowded = true}, {.leases = 9}}), 1U);
  EXPECT_EQ(chosen(params, {{.leases = 3, .crowded = true}, {.leases = 2, .crowded = true}}), 1U);
  EXPECT_EQ(chosen(params, {{.leases = 0, .confidence = 0.1}, {.leases = 1}, {.leases = 4}}), 1U);
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
