#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/pool/pool_test_support.h"

// How long somebody can be kept waiting behind others: for every order that states a bound, a load that does its worst.
namespace turnpike::core {
namespace {

using std::chrono::hours;

// One endpoint under a load that never lets the queue run empty.
class Load {
 public:
  struct Request {
    TimePoint arrived{};
    unsigned session = 0;  // 0: none
    unsigned tenant = 0;   // 0: anonymous
    std::int64_t prompt = 0;
    int overtaken = 0;     // by requests that came later
    bool boosted = false;  // its session had completed a turn when it came
  };

  Load(const PoolParams& params, std::uint64_t seed)
      : random(seed), pools_(params, PoolUnderTest::Books::trusted) {
    pools_.pool.add_endpoint({.id = EndpointId(1),
                              .name = "e",
                              .models = {ModelId(1)},
                              .slots = 3,
                              .capacity = TokenCount(20'000)},
                             pools_.now);
  }

  unsigned submit(Request request, double weight = 1.0) {
    const unsigned id = ++last_;
    request.arrived = pools_.now;
    request.boosted = request.session != 0 && completed_.contains(request.session);
    waiting[id] = request;
    pools_.submit(id, {.session = request.session,
                       .prompt = request.prompt,
                       .tenant = request.tenant,
                       .weight = weight});
    look();
    return id;
  }
  // One of the running requests ends with 100 tokens of output.
  Request settle_one() {
    const auto chosen =
        std::next(running.begin(), static_cast<std::ptrdiff_t>(random.below(running.size())));
    const auto [id, ended] = *chosen;
    running.erase(chosen);
    if (ended.session != 0) completed_.insert(ended.session);
    pools_.settle(id, Ending::finished, {.output_tokens = TokenCount(100)});
    look();
    return ended;
  }
  void pass(Duration d) {
    pools_.pass(d);
    look();
  }
  [[nodiscard]] TimePoint now() const { return pools_.now; }

  Random random;
  std::map<unsigned, Request> waiting;  // by arrival
  std::map<unsigned, Request> running;
  std::vector<std::pair<unsigned, Request>> went;

 private:
  void look() {
    ASSERT_TRUE(pools_.turned_away().empty());
    for (const unsigned id : pools_.went()) {
      for (auto& [other, request] : waiting) {
        if (other < id) ++request.overtaken;
      }
      went.emplace_back(id, waiting.at(id));
      running.insert(waiting.extract(id));
    }
  }

  PoolUnderTest pools_;
  unsigned last_ = 0;
  std::set<unsigned> completed_;
};

PoolParams one_endpoint(SessionOrder order) {
  PoolParams params;
  params.order.sessions = order;
  params.admission.rule = AdmissionRule::inflight;
  params.admission.limit = 3;
  params.waits.queue_timeout = kForever;
  params.resident.max_wait = kForever;
  params.limits.max_requests = params.limits.max_tenant_requests = 100'000;
  return params;
}

// Sessions that come back as soon as their turn has ended, and newcomers who come all the time.
void come_back_at_once(Load& load, int steps) {
  for (unsigned session = 1; session <= 30; ++session)
    load.submit({.session = session, .prompt = 100});
  for (int i = 0; i < steps; ++i) {
    load.pass(milliseconds(10));
    const Load::Request ended = load.settle_one();
    if (ended.session != 0) load.submit({.session = ended.session, .prompt = 100});
    if (i % 7 == 0) load.submit({.prompt = 100});
  }
}

TEST(OrderBounds, FirstComeFirstServedOvertakesNobody) {
  Load load(one_endpoint(SessionOrder::fcfs), 1);
  come_back_at_once(load, 3'000);
  for (const auto& [id, request] : load.went) ASSERT_EQ(request.overtaken, 0) << id;
}

TEST(OrderBounds, SessionBoostOvertakesNobodyMoreOftenThanItSays) {
  for (const BoostedFirst among : {BoostedFirst::completion, BoostedFirst::fifo}) {
    PoolParams params = one_endpoint(SessionOrder::session_boost);
    params.order.boost.among = among;
    Load load(params, 2);
    come_back_at_once(load, 10'000);
    int most_boosted = 0;
    int most_other = 0;
    for (const auto& [id, request] : load.went)
      (request.boosted ? most_boosted : most_other) =
          std::max(request.boosted ? most_boosted : most_other, request.overtaken);
    for (const auto& [id, request] : load.waiting) {
      EXPECT_LE(request.overtaken, request.boosted ? 16 : 64);
    }
    EXPECT_LE(most_boosted, 16);
    EXPECT_LE(most_other, 64);
    EXPECT_EQ(most_other, 64);  // the load does its worst
    if (among == BoostedFirst::completion) {
      EXPECT_EQ(most_boosted, 16);
    }
  }
}

// Who has waited more than twice its service goes with one in sixteen dispatches, in turn; new sessions, which otherwise go first,
// come all the time.
void expect_rescued(SessionOrder order) {
  const PoolParams params = one_endpoint(order);
  Load load(params, 3);
  // The victim's session has run for long and used much.
  load.submit({.session = 1, .prompt = 10'000});
  load.pass(seconds(3));
  while (!load.running.empty()) load.settle_one();
  unsigned stranger = 100;
  for (int i = 0; i < 40; ++i) load.submit({.session = ++stranger, .prompt = 50});
  const unsigned victim = load.submit({.session = 1, .prompt = 10'000});
  // Service 3 s: it starves after 6 s; of those before it some starve earlier, each of them once.
  const TimePoint starves = load.now() + seconds(6);
  std::size_t at_starving = 0;
  for (int i = 0; i < 5'000 && load.waiting.contains(victim); ++i) {
    load.pass(milliseconds(100));
    if (load.now() <= starves) at_starving = load.went.size();
    load.settle_one();
    load.submit({.session = ++stranger, .prompt = 50});
  }
  ASSERT_FALSE(load.waiting.contains(victim)) << "starved";
  ASSERT_GT(load.now(), starves);
  // Ahead of it are at most the strangers that were there when it began to starve.
  EXPECT_LE(load.went.size() - at_starving, 16U * 42U);
  // Without the rule it waits for ever.
  PoolParams off = params;
  off.order.starvation.ratio = 0;
  Load without(off, 3);
  without.submit({.session = 1, .prompt = 10'000});
  without.pass(seconds(3));
  while (!without.running.empty()) without.settle_one();
  for (int i = 0; i < 40; ++i) without.submit({.session = ++stranger, .prompt = 50});
  const unsigned lost = without.submit({.session = 1, .prompt = 10'000});
  for (int i = 0; i < 5'000; ++i) {
    without.pass(milliseconds(100));
    without.settle_one();
    without.submit({.session = ++stranger, .prompt = 50});
  }
  EXPECT_TRUE(without.waiting.contains(lost));
}

TEST(OrderBounds, CriticalPathRescuesWhoHasWaitedTooLong) {
  expect_rescued(SessionOrder::critical_path);
}
TEST(OrderBounds, PlasRescuesWhoHasWaitedTooLong) {
  expect_rescued(SessionOrder::plas);
}

// Two tenants who always have something waiting, one with three times the other's weight and much larger prompts.
void expect_fair(TenantOrder tenants) {
  PoolParams params = one_endpoint(SessionOrder::fcfs);
  params.order.tenants = tenants;
  params.order.fairness.window = hours(1);
  Load load(params, 4);
  const std::array<double, 2> weight = {1.0, 3.0};
  const std::array<std::uint64_t, 2> largest = {500, 5'000};
  const auto submit = [&](unsigned tenant) {
    load.submit({.tenant = tenant + 1,
                 .prompt = static_cast<std::int64_t>(100 + load.random.below(largest[tenant]))},
                weight[tenant]);
  };
  for (int i = 0; i < 10; ++i) {
    for (const unsigned tenant : {0U, 1U}) submit(tenant);
  }
  std::array<double, 2> served = {0, 0};
  // At most what runs of one, as expected or as it was, may be ahead or behind.
  const double bound = 4 * (5'100.0 + 2 * 512.0);
  for (int i = 0; i < 3'000; ++i) {
    load.pass(milliseconds(5));
    const Load::Request ended = load.settle_one();
    const unsigned tenant = ended.tenant - 1;
    served[tenant] += (static_cast<double>(ended.prompt) + 2 * 100.0) / weight[tenant];
    submit(tenant);
    ASSERT_LE(std::abs(served[0] - served[1]), bound) << i;
  }
  EXPECT_GT(served[0], 10 * bound);  // long enough for an unfair rule to be seen
}

TEST(OrderBounds, VtcServesBackloggedTenantsAlike) {
  expect_fair(TenantOrder::vtc);
}
TEST(OrderBounds, FairShareServesBackloggedTenantsAlike) {
  expect_fair(TenantOrder::fair_share);
}

TEST(OrderBounds, AFloodOfOneTenantDelaysAModestOneByOneDispatch) {
  for (const TenantOrder tenants : {TenantOrder::vtc, TenantOrder::fair_share}) {
    PoolParams params = one_endpoint(SessionOrder::fcfs);
    params.order.tenants = tenants;
    Load load(params, 5);
    for (int i = 0; i < 500; ++i) load.submit({.tenant = 1, .prompt = 1'000});
    for (int i = 0; i < 50; ++i) {
      load.pass(milliseconds(200));
      load.settle_one();
    }
    const unsigned modest = load.submit({.tenant = 2, .prompt = 100});
    load.settle_one();  // under vtc he is lifted to the flood's use, and equal tenants go by their keys
    load.settle_one();
    EXPECT_FALSE(load.waiting.contains(modest));
  }
}

// Sessionless requests of very different sizes: nobody who came after another one's virtual deadline goes before it.
TEST(OrderBounds, ResidentSetOvertakesUpToTheVirtualDeadlineOnly) {
  PoolParams params = *preset("resident-set");
  params.waits.queue_timeout = kForever;
  params.resident.max_wait = kForever;
  params.resident.alpha = 2;
  params.limits.max_requests = params.limits.max_tenant_requests = 100'000;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Load load(params, seed);
    const auto deadline_of = [&](const Load::Request& r) {
      const double work = static_cast<double>(r.prompt) + static_cast<double>(r.prompt + 512) / 4;
      return r.arrived + from_seconds(params.resident.alpha * work / 1000);
    };
    std::size_t seen = 0;
    int passed = 0;
    for (int i = 0; i < 3'000; ++i) {
      load.pass(milliseconds(static_cast<int>(load.random.below(300))));
      const std::int64_t prompt = load.random.below(20) == 0 ? 18'000 : 200;
      load.submit({.prompt = prompt});
      if (!load.running.empty() && load.random.below(10) < 8) load.settle_one();
      for (; seen < load.went.size(); ++seen) {
        const auto& [id, went] = load.went[seen];
        for (const auto& [other, request] : load.waiting) {
          if (other > id) break;
          ++passed;
          ASSERT_LE(went.arrived, deadline_of(request)) << id << " before " << other;
        }
      }
    }
    EXPECT_GT(passed, 100);
  }
}

}  // namespace
}  // namespace turnpike::core
