#include "gateway/owner.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "gateway/ticket.h"

namespace turnpike::gateway {
namespace {

core::EndpointSpec endpoint(std::uint32_t id, std::vector<ModelId> models) {
  core::EndpointSpec spec;
  spec.id = EndpointId(id);
  spec.name = "e" + std::to_string(id);
  spec.models = std::move(models);
  return spec;
}

core::Submission submission(std::uint64_t id, ModelId model = ModelId(0)) {
  core::Submission s;
  s.id = RequestId(id);
  s.model = model;
  s.tenant = TenantKey(1);
  s.prompt_tokens = TokenCount(100);
  return s;
}

// Keeps what it is told.
struct Sink final : DecisionSink {
  void deliver(const core::Decision& decision) override {
    const std::scoped_lock lock(mutex);
    decisions.push_back(decision);
  }
  std::mutex mutex;
  std::vector<core::Decision> decisions;
};

core::PoolParams params(int limit) {
  core::PoolParams p = *core::preset("session-boost");
  p.admission.rule = core::AdmissionRule::inflight;
  p.admission.limit = limit;
  return p;
}

struct OwnerTest : ::testing::Test {
  void start(int limit) {
    owner.emplace(clock, params(limit));
    owner->attach({&sink}, [this](TimePoint at) { alarms.push_back(at); });
    owner->run([](Pools& pools, TimePoint now) { pools.serve(endpoint(0, {ModelId(0)}), now); });
  }
  core::PoolView view() {
    core::PoolView seen;
    owner->run([&](Pools& pools, TimePoint now) { seen = pools.of_model(ModelId(0))->view(now); });
    return seen;
  }
  ManualClock clock;
  Sink sink;
  std::vector<TimePoint> alarms;
  std::optional<Owner> owner;
};

TEST_F(OwnerTest, DecidesAtOnceWhenNobodyElseIsAtWork) {
  start(1);
  Ticket ticket(*owner, submission(1));
  ASSERT_EQ(sink.decisions.size(), 1U);
  EXPECT_EQ(std::get<core::Dispatch>(sink.decisions[0]).endpoint, EndpointId(0));
  ticket.settle({});
  EXPECT_EQ(view().leases, 0U);
}

TEST_F(OwnerTest, AnAbandonedTicketLeavesTheQueue) {
  start(1);
  Ticket running(*owner, submission(1));
  {
    Ticket waiting(*owner, submission(2));
    EXPECT_EQ(view().queued, 1U);
  }
  EXPECT_EQ(view().queued, 0U);
  EXPECT_EQ(view().in_flight, 1U);
}

TEST_F(OwnerTest, AnAbandonedTicketGivesItsLeaseBackThoughNobodySawTheDispatch) {
  start(1);
  {
    Ticket dispatched(*owner, submission(1));
  }
  const core::PoolView seen = view();
  EXPECT_EQ(seen.in_flight, 0U);
  EXPECT_EQ(seen.leases, 0U);
  EXPECT_EQ(seen.counters.cancelled, 1U);
}

TEST_F(OwnerTest, AMovedTicketGivesBackOnce) {
  start(1);
  Ticket first(*owner, submission(1));
  Ticket second(std::move(first));
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is tested
  first = Ticket();
  EXPECT_EQ(view().in_flight, 1U);
  second = Ticket();
  EXPECT_EQ(view().in_flight, 0U);
}

TEST_F(OwnerTest, ARejectedRequestHasNothingToGiveBack) {
  start(1);
  Ticket unknown(*owner, submission(1, ModelId(9)));
  ASSERT_EQ(sink.decisions.size(), 1U);
  EXPECT_EQ(std::get<core::Rejection>(sink.decisions[0]).reason, core::RejectReason::unknown_model);
  unknown.rejected();
}

TEST_F(OwnerTest, RingsForWhateverComesNext) {
  start(1);
  Ticket running(*owner, submission(1));
  Ticket waiting(*owner, submission(2));
  ASSERT_FALSE(alarms.empty());
  clock.advance(std::chrono::minutes(2));
  owner->advance();
  ASSERT_EQ(sink.decisions.size(), 2U);
  EXPECT_EQ(std::get<core::Rejection>(sink.decisions[1]).reason, core::RejectReason::queue_timeout);
  waiting.rejected();
}

// Four threads submit, settle, fail and abandon at random, each with a sink of its own.
TEST(OwnerThreads, CountersReturnToZeroWhateverTheyDoTogether) {
  const ScaledClock clock(1000);
  constexpr int kThreads = 4;
  constexpr int kRequests = 3000;
  Owner owner(clock, params(3));
  std::array<Sink, kThreads> sinks;
  std::vector<DecisionSink*> all;
  for (Sink& sink : sinks) all.push_back(&sink);
  owner.attach(all, [](TimePoint) {});
  owner.run([](Pools& pools, TimePoint now) {
    pools.serve(endpoint(0, {ModelId(0)}), now);
    pools.serve(endpoint(1, {ModelId(0)}), now);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(static_cast<std::uint64_t>(t) + 7);
      std::map<std::uint64_t, Ticket> held;
      for (int i = 0; i < kRequests; ++i) {
        const std::uint64_t id =
            (static_cast<std::uint64_t>(t) << kWorkerShift) | static_cast<std::uint64_t>(i);
        held.emplace(id, Ticket(owner, submission(id)));
        std::vector<core::Decision> decisions;
        {
          const std::scoped_lock lock(sinks[t].mutex);
          decisions.swap(sinks[t].decisions);
        }
        for (const core::Decision& decision : decisions) {
          if (const auto* dispatch = std::get_if<core::Dispatch>(&decision)) {
            const auto found = held.find(dispatch->request.value());
            if (found == held.end()) continue;  // abandoned while the decision was on its way
            if (random.below(4) == 0) {
              found->second.failed(core::FailureKind::died);
            } else {
              found->second.settle({});
              held.erase(found);
            }
          } else {
            const auto found = held.find(std::get<core::Rejection>(decision).request.value());
            if (found == held.end()) continue;
            found->second.rejected();
            held.erase(found);
          }
        }
        if (held.size() > 50) held.erase(held.begin());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  core::PoolView seen;
  owner.run([&](Pools& pools, TimePoint now) { seen = pools.of_model(ModelId(0))->view(now); });
  EXPECT_EQ(seen.queued, 0U);
  EXPECT_EQ(seen.in_flight, 0U);
  EXPECT_EQ(seen.leases, 0U);
  EXPECT_EQ(seen.counters.submitted, static_cast<std::uint64_t>(kThreads) * kRequests);
}

TEST(Pools, EndpointsThatShareAModelShareAPoolAndPoolsThatTurnOutToAreMerged) {
  Pools pools(params(2));
  const TimePoint now{};
  pools.serve(endpoint(0, {ModelId(0)}), now);
  pools.serve(endpoint(1, {ModelId(1)}), now);
  EXPECT_NE(pools.of_model(ModelId(0)), pools.of_model(ModelId(1)));
  for (std::uint64_t id = 0; id < 6; ++id)
    pools.of_model(ModelId(id % 2))->submit(submission(id, ModelId(id % 2)), now);

  pools.serve(endpoint(2, {ModelId(0), ModelId(1)}), now);
  ASSERT_EQ(pools.list().size(), 1U);
  EXPECT_EQ(pools.of_model(ModelId(0)), pools.of_model(ModelId(1)));
  EXPECT_EQ(pools.of_endpoint(EndpointId(1)), pools.of_endpoint(EndpointId(0)));
  const core::PoolView view = pools.list()[0].pool->view(now);
  EXPECT_EQ(view.endpoints, 3U);
  EXPECT_EQ(view.in_flight, 6U) << "the third endpoint takes what waited for the first two";
  EXPECT_EQ(view.counters.submitted, 6U);

  pools.remove(EndpointId(2), now);
  EXPECT_EQ(pools.of_endpoint(EndpointId(2)), nullptr);
}

TEST(Pools, AnEndpointThatBeginsToServeAnothersModelBringsItsPoolAlong) {
  Pools pools(params(2));
  const TimePoint now{};
  pools.serve(endpoint(0, {ModelId(0)}), now);
  pools.serve(endpoint(1, {ModelId(1)}), now);
  pools.serve(endpoint(1, {ModelId(0), ModelId(1)}), now);
  EXPECT_EQ(pools.list().size(), 1U);
  EXPECT_EQ(pools.list()[0].models, (std::vector<ModelId>{ModelId(0), ModelId(1)}));
}

}  // namespace
}  // namespace turnpike::gateway
