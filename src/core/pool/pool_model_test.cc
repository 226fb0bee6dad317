#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/pool/pool.h"

// The pool against the rules of the orders as they are written down, applied the slow way: everything that waits in one list, which is
// searched from end to end for whoever is next, and every number worked out anew from what has happened. Nothing is shared with the
// pool but its inputs. One endpoint, so that placement has nothing to decide.
namespace turnpike::core {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kOutput = 100;  // tokens of every answer

struct Known {  // of a session
  double attained = 0;
  TimePoint attained_at{};
  Duration critical_path{0};
  Duration waits{0};  // since it was last moved to the front
  Duration service{0};
  std::int64_t context = 0;
  int turns = 0;
};

struct Waiting {
  Submission submission;
  TimePoint arrived{};
  double key = 0;
  std::uint64_t boosted = 0;  // completion that boosted it; 0: none did
  TimePoint starves_at = TimePoint::max();
  Duration inherited{0};
  int overtaken = 0;
};

struct Running {
  Waiting request;
  TimePoint started{};
  double charged = 0;
  double uncached = 0;
  bool main_chain = false;
};

struct Charge {
  TimePoint at{};
  double tokens = 0;
};

class Reference {
 public:
  Reference(const PoolParams& params, int limit) : order_(params.order), limit_(limit) {}

  void submit(const Submission& submission, TimePoint now) {
    Waiting request{.submission = submission, .arrived = now};
    Known* session = find(submission.session);
    if (session != nullptr) request.inherited = session->critical_path;
    if (order_.sessions == SessionOrder::session_boost && submission.session)
      request.boosted = completion(submission.session, now);
    request.key = key_of(request, session, now);
    const double service = session == nullptr ? 0 : to_seconds(session->service);
    const Duration past = session == nullptr ? Duration{0} : session->waits;
    request.starves_at =
        now + from_seconds(order_.starvation.ratio * std::max(1.0, service)) - past;
    if (waits(submission.tenant) == 0) begins_to_wait(submission);
    waiting_.push_back(std::move(request));
    dispatch(now);
  }

  void cancel(RequestId id, TimePoint now) {
    std::erase_if(waiting_, [&](const Waiting& w) { return w.submission.id == id; });
    if (waiting_.empty()) since_rescue_ = 0;
    dispatch(now);
  }

  void settle(RequestId id, bool finished, TimePoint now) {
    const auto found =
        std::ranges::find(running_, id, [](const Running& r) { return r.request.submission.id; });
    const Running ended = *found;
    running_.erase(found);
    const Submission& submission = ended.request.submission;
    const double output = finished ? static_cast<double>(kOutput) : reserve_;
    if (finished) {
      reserve_ = static_cast<double>(kOutput);  // the mean of equal numbers
      charge(submission, ended.uncached + 2 * output - ended.charged, now);
      if (Known* session = find(submission.session)) {
        const Duration execution = now - ended.started;
        session->critical_path =
            std::max(session->critical_path, ended.request.inherited + execution);
        session->service += execution;
        if (ended.main_chain) {
          ++session->turns;
          session->context = submission.prompt_tokens.value() + kOutput;
        }
        completed(submission.session, now);
      }
    }
    dispatch(now);
  }

  void dispatch(TimePoint now) {
    while (static_cast<int>(running_.size()) < limit_ && !waiting_.empty()) {
      bool rescued = false;
      const std::size_t next = choose(now, rescued);
      const Waiting request = waiting_[next];
      waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(next));
      since_rescue_ = rescued ? 0 : since_rescue_ + 1;
      if (waiting_.empty()) since_rescue_ = 0;
      for (Waiting& other : waiting_) {
        if (other.submission.id < request.submission.id) ++other.overtaken;
      }
      start(request, rescued, now);
    }
  }

  [[nodiscard]] const std::vector<RequestId>& went() const { return went_; }
  [[nodiscard]] const std::vector<Waiting>& waiting() const { return waiting_; }
  [[nodiscard]] const std::vector<Running>& running() const { return running_; }

 private:
  Known* find(SessionKey key) {
    if (!key) return nullptr;
    return &sessions_[key];
  }

  static double decayed(const Known& session, TimePoint now) {
    return session.attained * std::exp2(-to_seconds(now - session.attained_at) / 600.0);
  }

  double uncached(const Submission& submission) {
    const Known* session = find(submission.session);
    const std::int64_t held =
        session == nullptr || !ran_.contains(submission.session) ? 0 : session->context;
    return static_cast<double>(std::max<std::int64_t>(0, submission.prompt_tokens.value() - held));
  }

  double key_of(const Waiting& request, const Known* session, TimePoint now) {
    const auto scaled = [](double value) { return static_cast<double>(std::llround(value * 1e6)); };
    const double at = to_seconds(now.time_since_epoch());
    const double attained = session == nullptr ? 0 : decayed(*session, now);
    switch (order_.sessions) {
      case SessionOrder::critical_path:
        return static_cast<double>(request.inherited.count());
      case SessionOrder::plas: {
        double level = 0;
        for (double bound = 2.0; 1.0 + attained / 4000.0 >= bound; bound *= 2) ++level;
        return level;
      }
      case SessionOrder::las:
        return scaled(std::log2(1.0 + attained) + at / 600.0);
      case SessionOrder::turn_priority:
        return scaled(0.05 * at - (session == nullptr ? 0 : session->turns));
      case SessionOrder::wspt:
        return scaled(uncached(request.submission) / (1.0 + request.submission.priority));
      case SessionOrder::deadline:
        return request.submission.deadline
                   ? static_cast<double>(request.submission.deadline->time_since_epoch().count())
                   : std::numeric_limits<double>::max();
      default:
        return 0;
    }
  }

  // --- session-boost ---
  void completed(SessionKey session, TimePoint now) {
    std::erase_if(completions_, [&](const auto& c) { return c.first == session; });
    completions_.emplace_back(session, now);
    if (completions_.size() > order_.boost.max_sessions) completions_.erase(completions_.begin());
    last_[session] = ++completions_made_;
    if (order_.sessions != SessionOrder::session_boost) return;
    for (Waiting& request : waiting_) {
      if (request.submission.session == session) request.boosted = completions_made_;
    }
  }
  std::uint64_t completion(SessionKey session, TimePoint now) {
    for (const auto& [known, at] : completions_) {
      if (known == session && now - at < order_.boost.ttl) return last_[session];
    }
    return 0;
  }

  // --- tenants ---
  [[nodiscard]] long waits(TenantKey tenant) const {
    return std::ranges::count(waiting_, tenant,
                              [](const Waiting& w) { return w.submission.tenant; });
  }
  void begins_to_wait(const Submission& submission) {
    weights_[submission.tenant] = submission.tenant_weight;
    std::optional<double> least;
    for (const Waiting& other : waiting_) {
      const double counter = counters_[other.submission.tenant];
      least = std::min(least.value_or(counter), counter);
    }
    if (least) counters_[submission.tenant] = std::max(counters_[submission.tenant], *least);
  }
  double usage(TenantKey tenant, TimePoint now) {
    if (order_.tenants == TenantOrder::none) return 0;
    if (order_.tenants == TenantOrder::vtc) return counters_[tenant];
    const Duration step = order_.fairness.window / 10;
    double sum = 0;
    for (const Charge& c : charges_[tenant]) {
      if (c.at.time_since_epoch() / step > now.time_since_epoch() / step - 10) sum += c.tokens;
    }
    return std::max(0.0, sum) / weights_[tenant];
  }
  void charge(const Submission& submission, double tokens, TimePoint now) {
    if (Known* session = find(submission.session)) {
      session->attained = std::max(0.0, decayed(*session, now) + tokens);
      session->attained_at = now;
    }
    charges_[submission.tenant].push_back({now, tokens});
    double& counter = counters_[submission.tenant];
    counter = std::max(0.0, counter + tokens / weights_[submission.tenant]);
  }

  // --- who is next ---
  [[nodiscard]] bool guards() const {
    return order_.sessions == SessionOrder::critical_path || order_.sessions == SessionOrder::plas;
  }
  // Position in waiting_, which is in order of arrival.
  std::size_t choose(TimePoint now, bool& rescued) {
    std::vector<std::size_t> all(waiting_.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    const auto keep_least = [&](auto value_of) {
      auto least = value_of(waiting_[all.front()]);
      for (const std::size_t i : all) least = std::min(least, value_of(waiting_[i]));
      std::erase_if(all, [&](std::size_t i) { return value_of(waiting_[i]) != least; });
    };
    if (order_.priority_classes)
      keep_least([](const Waiting& w) { return -w.submission.priority; });
    if (order_.tenants != TenantOrder::none) {
      keep_least([&](const Waiting& w) { return usage(w.submission.tenant, now); });
      keep_least([](const Waiting& w) { return w.submission.tenant; });
    }
    if (guards() && since_rescue_ + 1 >= order_.starvation.one_in) {
      std::vector<std::size_t> starving = all;
      std::erase_if(starving, [&](std::size_t i) { return waiting_[i].starves_at >= now; });
      if (!starving.empty()) {
        rescued = true;
        return *std::ranges::min_element(starving, {},
                                         [&](std::size_t i) { return waiting_[i].starves_at; });
      }
    }
    if (order_.sessions == SessionOrder::session_boost) {
      // The earliest of each kind, if it was overtaken often enough; the earlier of the two.
      for (const std::size_t i : all) {
        const Waiting& w = waiting_[i];
        const bool first_of_kind = std::ranges::none_of(all, [&](std::size_t j) {
          return j < i && (waiting_[j].boosted > 0) == (w.boosted > 0);
        });
        const int bound = order_.boost.max_overtakes *
                          (w.boosted > 0 ? 1 : order_.boost.unboosted_overtakes_factor);
        if (first_of_kind && w.overtaken >= bound) return i;
      }
      if (order_.boost.among == BoostedFirst::fifo) {
        keep_least([](const Waiting& w) { return w.boosted > 0 ? 0 : 1; });
      } else {
        keep_least([](const Waiting& w) { return -static_cast<std::int64_t>(w.boosted); });
      }
      return all.front();
    }
    keep_least([](const Waiting& w) { return w.key; });
    return all.front();
  }

  void start(const Waiting& request, bool rescued, TimePoint now) {
    const Submission& submission = request.submission;
    Running running{.request = request, .started = now, .uncached = uncached(submission)};
    running.charged = running.uncached + 2 * reserve_;
    charge(submission, running.charged, now);
    if (Known* session = find(submission.session)) {
      running.main_chain = submission.prompt_tokens.value() * 2 > session->context;
      session->waits += now - request.arrived;
      if (rescued) session->waits = session->service = Duration{0};
      ran_[submission.session] = true;
    }
    went_.push_back(submission.id);
    running_.push_back(std::move(running));
  }

  OrderParams order_;
  int limit_;
  std::vector<Waiting> waiting_;  // by arrival
  std::vector<Running> running_;
  std::vector<RequestId> went_;
  std::map<SessionKey, Known> sessions_;
  std::map<SessionKey, bool> ran_;
  std::vector<std::pair<SessionKey, TimePoint>> completions_;  // oldest first
  std::map<SessionKey, std::uint64_t> last_;
  std::uint64_t completions_made_ = 0;
  std::map<TenantKey, std::vector<Charge>> charges_;
  std::map<TenantKey, double> counters_;
  std::map<TenantKey, double> weights_;
  double reserve_ = 512;
  int since_rescue_ = 0;
};

PoolParams params_of(const std::string& name) {
  PoolParams params;
  params.policy = name;
  params.order.sessions = SessionOrder::fcfs;
  params.waits.queue_timeout = kForever;
  params.admission.rule = AdmissionRule::inflight;
  params.admission.limit = 3;
  params.breaker.failures = 0;
  OrderParams& order = params.order;
  if (name == "priority") order.priority_classes = true;
  if (name.starts_with("session-boost")) {
    order.sessions = SessionOrder::session_boost;
    order.boost.max_sessions = 5;
    order.boost.ttl = seconds(2);
    order.boost.max_overtakes = 4;
    order.boost.unboosted_overtakes_factor = 2;
  }
  if (name == "session-boost/fifo") order.boost.among = BoostedFirst::fifo;
  if (name.contains("fair-share")) {
    order.tenants = TenantOrder::fair_share;
    order.fairness.window = seconds(3);
  }
  if (name.contains("vtc")) {
    order.tenants = TenantOrder::vtc;
    order.fairness.window = hours(10);  // nothing leaves it
  }
  if (name.contains("critical-path")) order.sessions = SessionOrder::critical_path;
  if (name.contains("plas")) order.sessions = SessionOrder::plas;
  if (name == "las") order.sessions = SessionOrder::las;
  if (name == "turn-priority") order.sessions = SessionOrder::turn_priority;
  if (name == "wspt") order.sessions = SessionOrder::wspt;
  if (name == "deadline") order.sessions = SessionOrder::deadline;
  if (order.sessions == SessionOrder::critical_path || order.sessions == SessionOrder::plas)
    order.starvation.one_in = 4;
  return params;
}

Submission random_submission(Random& random, std::uint64_t id, TimePoint now) {
  const std::uint64_t session = random.below(12);
  const std::uint64_t tenant = random.below(4);
  Submission submission{
      .id = RequestId(id),
      .model = ModelId(1),
      .session = session < 8 ? SessionKey(session) : SessionKey::none(),
      .tenant = TenantKey(tenant),
      .prompt_tokens = TokenCount(static_cast<std::int64_t>(50 + random.below(3'000))),
      .streaming = true,
      .tenant_weight = 1.0 + static_cast<double>(tenant),
      .priority = static_cast<int>(random.below(3))};
  if (random.below(3) == 0)
    submission.deadline = now + milliseconds(static_cast<int>(random.below(20'000)));
  return submission;
}

class PoolModel : public testing::TestWithParam<std::string> {};

TEST_P(PoolModel, DispatchesWhomTheRulesSay) {
  const PoolParams params = params_of(GetParam());
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Pool pool(params);
    Reference reference(params, params.admission.limit);
    TimePoint now{hours(1)};
    pool.add_endpoint({.id = EndpointId(1), .name = "e", .models = {ModelId(1)}}, now);
    std::vector<RequestId> went;
    std::uint64_t last = 0;
    for (int i = 0; i < 400; ++i) {
      if (random.below(3) > 0) now += milliseconds(static_cast<int>(random.below(400)));
      const std::uint64_t event = random.below(100);
      // Filling and draining by turns, so that queues become long and empty again.
      const std::uint64_t share_of_arrivals = i / 50 % 2 == 0 ? 65 : 35;
      if (event < share_of_arrivals) {
        const Submission submission = random_submission(random, ++last, now);
        pool.submit(submission, now);
        reference.submit(submission, now);
      } else if (event < 95) {
        if (reference.running().empty()) continue;
        const auto chosen = random.below(reference.running().size());
        const RequestId id = reference.running()[chosen].request.submission.id;
        const bool finished = random.below(8) > 0;
        Settlement settlement;
        settlement.ending = finished ? Ending::finished : Ending::cancelled;
        if (finished) settlement.usage.output_tokens = TokenCount(kOutput);
        pool.settle(id, settlement, now);
        reference.settle(id, finished, now);
      } else {
        if (reference.waiting().empty()) continue;
        const auto chosen = random.below(reference.waiting().size());
        const RequestId id = reference.waiting()[chosen].submission.id;
        ASSERT_TRUE(pool.cancel(id, now));
        reference.cancel(id, now);
      }
      for (const Decision& decision : pool.take_decisions()) {
        ASSERT_TRUE(std::holds_alternative<Dispatch>(decision));
        went.push_back(std::get<Dispatch>(decision).request);
      }
      ASSERT_EQ(went, reference.went()) << "event " << i;
    }
    EXPECT_GT(went.size(), 50U);
  }
}

INSTANTIATE_TEST_SUITE_P(Orders, PoolModel,
                         testing::Values("fcfs", "priority", "session-boost", "session-boost/fifo",
                                         "fair-share", "vtc", "critical-path", "plas", "las",
                                         "turn-priority", "wspt", "deadline"),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::ranges::replace_if(
                               text, [](char c) { return c == '-' || c == '/'; }, '_');
                           return text;
                         });

}  // namespace
}  // namespace turnpike::core
