#include <algorithm>
#include <cmath>
#include <limits>

#include "core/pool/fleet.h"
#include "core/resident/account.h"
#include "core/resident/capacity.h"
#include "core/resident/resident_set.h"
#include "core/session/session.h"

// How much room there is, for how long it is kept, and how long one waits for it: what is measured, not configured.
namespace turnpike::core {
namespace {

constexpr Duration kTick = std::chrono::seconds(1);
// A session that has not come back by now is taken not to: several times the longest hold.
constexpr Duration kGone = std::chrono::seconds(60);
constexpr std::size_t kMaxAway = 100'000;

}  // namespace

ResidentAccount& ResidentSet::account(Endpoint& endpoint) const {
  if (endpoint.account == nullptr) {
    endpoint.account = std::make_unique<ResidentAccount>();
    endpoint.account->worth = params_.worth_start;
  }
  ResidentAccount& own = *endpoint.account;
  const double known = endpoint.ledger.capacity().as_double();
  if (own.start == 0 || (!own.start_reported && known > 0)) {
    own.start_reported = known > 0;
    own.start = own.capacity = known > 0 ? known : params_.start_capacity;
  }
  return own;
}

double ResidentSet::shared(const Endpoint& endpoint) const {
  return endpoint.prefixes ? endpoint.prefixes->shared_tokens() : 0.0;
}

double ResidentSet::own_tokens(const Request& request, const Endpoint& endpoint) const {
  const double prompt = request.submission.prompt_tokens.as_double();
  const auto& blocks = request.submission.blocks;
  if (blocks.empty() || !endpoint.prefixes) return prompt;
  const std::size_t common = endpoint.prefixes->shared(blocks);
  return prompt * (1.0 - static_cast<double>(common) / static_cast<double>(blocks.size()));
}

// The least it may take of an account: at its session's endpoint and at a few others, which mostly share what all share.
double ResidentSet::least_own_tokens(const Request& request, const Endpoint* bound) const {
  constexpr int kLooks = 4;
  double least = request.submission.prompt_tokens.as_double();
  if (request.submission.blocks.empty()) return least;
  if (bound != nullptr) least = std::min(least, own_tokens(request, *bound));
  int looks = 0;
  fleet_->any_serving(request.submission.model, [&](const Endpoint& endpoint) {
    least = std::min(least, own_tokens(request, endpoint));
    return ++looks == kLooks;
  });
  return least;
}

double ResidentSet::need(const Request& request, const Endpoint& endpoint) const {
  const double wanted = own_tokens(request, endpoint) + reserve_.value();
  return std::min(wanted, endpoint.account->capacity - shared(endpoint));
}

// C - S - W - need - g x (sessions in the account + 1): everybody is counted at the size he will have at his next turn.
double ResidentSet::room(const Endpoint& endpoint, double need, bool adds_session) const {
  const ResidentAccount& own = *endpoint.account;
  const double sessions = static_cast<double>(own.occupants.size()) + (adds_session ? 1 : 0);
  const double foreign = endpoint.ledger.foreign_tokens().as_double();
  return own.capacity - shared(endpoint) - own.used() - foreign - need - growth_.value() * sessions;
}

// What running requests leave of their share of the cache to others than residents. The rest is for contexts that nobody holds a
// place for and that may be found again all the same.
double ResidentSet::left_to_run(const Endpoint& endpoint) const {
  if (endpoint.ledger.leases() == 0) return std::numeric_limits<double>::infinity();
  const ResidentAccount& own = *endpoint.account;
  return params_.running_share * (own.capacity - shared(endpoint)) - own.running;
}

// Only a configured number of slots counts. An engine also has requests waiting while it spends its steps on prompts; the number
// running then would become a limit that nothing could ever disprove, because nothing more is sent.
bool ResidentSet::has_slot(const Endpoint& endpoint) {
  const int slots = endpoint.spec.slots;
  return slots == 0 || endpoint.ledger.leases() + endpoint.ledger.foreign() < slots;
}

// Whether it could run beside what runs: whole prompts, against what the engine itself reports. K.
bool ResidentSet::can_run(const Request& request, const Endpoint& endpoint) const {
  if (endpoint.ledger.leases() == 0) return true;
  const ResidentAccount& own = *endpoint.account;
  const TokenCount reported = endpoint.ledger.gauges().kv_capacity.value_or(TokenCount(0));
  const double most = reported > TokenCount(0) ? reported.as_double() : own.capacity;
  return own.running_whole + request.submission.prompt_tokens.as_double() + reserve_.value() <=
         most;
}

bool ResidentSet::admits(const Request& request, const Endpoint& endpoint, TimePoint now) const {
  if (!endpoint.dispatchable || endpoint.sheds_until > now || endpoint.account == nullptr)
    return false;
  if (!has_slot(endpoint) || fleet_->lacks_prefill(request, endpoint)) return false;
  // What never fits beside others goes where nothing else is.
  if (endpoint.ledger.leases() == 0 && endpoint.account->by_idleness.empty()) return true;
  const double wanted = need(request, endpoint);
  return can_run(request, endpoint) && wanted <= left_to_run(endpoint) &&
         room(endpoint, wanted, request.session != nullptr) >= 0;
}

void ResidentSet::learn_capacity(Request& request, Endpoint& endpoint, const Usage& usage) {
  if (usage.cached_tokens) account(endpoint).counters.answers_tell();
  if (!usage.cached_tokens || request.running->resident.above < 0) return;
  ResidentAccount& own = account(endpoint);
  const double common = shared(endpoint);
  const double shared_part =
      request.submission.prompt_tokens.as_double() - own_tokens(request, endpoint);
  const CacheEvidence evidence{
      .above = request.running->resident.above,
      .put = request.running->resident.put,
      .found = std::max(0.0, usage.cached_tokens->as_double() - shared_part),
      .error = request.submission.blocks.empty()
                   ? 0.0
                   : request.submission.prompt_tokens.as_double() /
                         static_cast<double>(request.submission.blocks.size())};
  own.capacity =
      std::max(least_capacity(own),
               common + capacity_after(own.capacity - common, evidence, params_.capacity_gain));
}

double ResidentSet::least_capacity(const ResidentAccount& own) const {
  return own.start_reported ? params_.capacity_floor * own.start : 0.0;
}

// An engine whose answers do not tell found much less in its cache than it should have.
void ResidentSet::observed(Endpoint& endpoint, TimePoint now) {
  constexpr double kLeft = 0.9;
  ResidentAccount& own = account(endpoint);
  if (!own.counters.disappoints(endpoint.ledger.gauges().cached_tokens, now)) return;
  if (params_.capacity_gain == 0) return;
  own.capacity = std::max(least_capacity(own), kLeft * own.capacity);
  stir(endpoint);
}

void ResidentSet::count_return(const Session& session, TimePoint now) {
  const auto found = away_.find(session.key);
  if (found == away_.end()) return;
  returns_[static_cast<std::size_t>(found->second.kind)].came_back(
      to_seconds(now - found->second.at));
  away_.erase(found);
}

void ResidentSet::count_absences(TimePoint now) {
  while (!ended_.empty() && (now - ended_.front().at > kGone || ended_.size() > kMaxAway)) {
    const Ended end = ended_.front();
    ended_.pop_front();
    const auto found = away_.find(end.session);
    if (found == away_.end() || found->second.at != end.at) continue;
    returns_[static_cast<std::size_t>(end.kind)].stayed_away();
    away_.erase(found);
  }
}

void ResidentSet::set_params(const ResidentParams& params, const OrderParams& order) {
  params_ = params;
  order_params_ = order;
  stir_all_ = true;
}

void ResidentSet::advance(TimePoint now) {
  while (!expiries_.empty() && expiries_.begin()->at <= now) {
    const Expiry over = *expiries_.begin();
    Endpoint* endpoint = fleet_->find(over.endpoint);
    if (endpoint == nullptr) {
      expiries_.erase(expiries_.begin());
      continue;
    }
    pause(*endpoint, over.session);
    --pauses_;  // it left of its own
  }
  count_absences(now);
  if (next_tick_ <= now) tick(now);
}

// Once a second while somebody waits.
void ResidentSet::tick(TimePoint now) {
  const double seconds = std::clamp(to_seconds(now - last_tick_), 0.0, 60.0);
  total_capacity_ = 0;
  for (const auto& [id, endpoint] : fleet_->all()) {
    if (endpoint->spec.role == Role::prefill) continue;
    ResidentAccount& own = account(*endpoint);
    // It comes back, a hundredth of what is missing a second: the counters say when it was too much, never when it is too little.
    if (own.counters.needed() && own.capacity < own.start)
      own.capacity += (own.start - own.capacity) * (1.0 - std::pow(0.99, seconds));
    if (endpoint->dispatchable) total_capacity_ += own.capacity;
    own.backlog += (1.0 - std::exp(-seconds / 5.0)) *
                   (to_seconds(endpoint->ledger.backlog_time()) - own.backlog);
    if (somebody_refused_) {
      own.worth = worth_after(own.worth, own.backlog, params_.backlog_target, params_.worth_min,
                              params_.worth_max);
    }
  }
  somebody_refused_ = false;
  stir_all_ = true;
  last_tick_ = now;
  next_tick_ = in_lines_ > 0 ? now + kTick : now;
}

std::optional<TimePoint> ResidentSet::next_deadline() const {
  TimePoint next = TimePoint::max();
  if (!expiries_.empty()) next = expiries_.begin()->at;
  if (in_lines_ > 0) next = std::min(next, next_tick_);
  const bool seat_may_come = seat_.request == nullptr && !all_others_.empty() && fleet_->any_room();
  if (seat_may_come) {
    const TimePoint deadline = all_others_.first()->virtual_deadline();
    if (deadline > last_seat_check_) next = std::min(next, deadline);
  }
  if (next == TimePoint::max()) return std::nullopt;
  return next;
}

std::optional<Duration> ResidentSet::predicted_wait(const Request& request, TimePoint now) const {
  constexpr Duration kEnough = std::chrono::seconds(30);
  const double rate = admitted_.per_second(now);
  if (rate <= 0 || admitted_.age(now) < kEnough) return std::nullopt;
  const auto ahead = static_cast<double>(all_others_.sum_before(request.resident_rank()));
  return from_seconds(std::min(1e6, ahead / rate));
}

std::optional<Duration> ResidentSet::drain_time(TimePoint now) const {
  Request last;
  last.resident.tier = std::numeric_limits<std::int32_t>::max();
  return predicted_wait(last, now);
}

ResidentSet::Figures ResidentSet::figures(const Endpoint& endpoint) const {
  if (endpoint.account == nullptr) return {};
  return {.capacity = endpoint.account->capacity,
          .resident = shared(endpoint) + endpoint.account->used()};
}

ResidentSet::Fit ResidentSet::fit_of(const Request& request, const Endpoint& endpoint) const {
  const double wanted = need(request, endpoint);
  const bool adds_session =
      request.session != nullptr && !endpoint.account->occupants.contains(request.session->key);
  return {.need = wanted, .room = room(endpoint, 0, adds_session)};
}

bool ResidentSet::is_resident(const Session& session, const Endpoint& endpoint) {
  if (endpoint.account == nullptr || session.resident_at != endpoint.spec.id) return false;
  const auto found = endpoint.account->occupants.find(session.key);
  return found != endpoint.account->occupants.end() && found->second.resident;
}

std::string ResidentSet::broken_invariant(TimePoint now) const {
  std::size_t expiring = 0;
  for (const auto& [id, endpoint] : fleet_->all()) {
    const ResidentAccount* own = endpoint->account.get();
    if (own == nullptr) continue;
    double resting = 0;
    std::size_t idle = 0;
    int waiting = 0;
    for (const auto& [key, occupant] : own->occupants) {
      if (occupant.running < 0 || occupant.waiting < 0) return "an occupant is counted below zero";
      if (occupant.resident && occupant.running > 0) return "a session rests and runs";
      if (occupant.running == 0 && !occupant.resident && occupant.waiting == 0)
        return "an occupant without reason";
      waiting += occupant.waiting;
      if (!occupant.resident) continue;
      resting += occupant.context;
      ++idle;
      if (!own->by_idleness.contains({occupant.idle_since, key}))
        return "an idle session is not in the list of the idle";
      if (expiries_.contains({occupant.until, key, id}) != (occupant.waiting == 0))
        return "a place ends exactly if no turn of its session waits";
      expiring += occupant.waiting == 0 ? 1 : 0;
    }
    if (static_cast<std::size_t>(waiting) != own->residents.size())
      return "the residents' line is miscounted";
    if (idle != own->by_idleness.size()) return "the list of the idle is too long";
    if (std::abs(resting - own->resting) > 1.0) return "the contexts of the idle do not add up";
    if (own->running < -1.0 || own->running_whole < -1.0) return "running tokens below zero";
    if (endpoint->ledger.leases() == 0 && own->running > 1.0) return "tokens run without a lease";
    if (own->capacity <= 0) return "no capacity";
    if (own->listed_room >= 0 && !by_room_.contains({own->listed_room, id, endpoint.get()}))
      return "the list of those with room is wrong";
  }
  if (expiring != expiries_.size()) return "places end that nobody has";
  if (seat_.request != nullptr && seat_.request->resident.line == ResidentLine::none)
    return "a seat for one who does not wait";
  return waits_in_vain(now);
}

// Who waits although he could go; empty if nobody does. What moves with the means of the whole pool and with the shares of tenants
// is seen within a second.
std::string ResidentSet::waits_in_vain(TimePoint now) const {
  if (shares_.matter()) return {};
  const double slack = 2 * reserve_.value() + 0.05 * params_.start_capacity;
  for (const auto& [model, lines] : free_) {
    for (const auto& [tenant, line] : lines) {
      const Request* first = line.first();
      for (const auto& [id, endpoint] : fleet_->all()) {
        const bool serves = endpoint->can_serve(model);
        if (!serves || endpoint.get() == seat_.endpoint || !admits(*first, *endpoint, now))
          continue;
        // By what it was thought to need when it came: prefixes that have come to be shared since may make that less.
        const double wanted =
            std::max(need(*first, *endpoint), static_cast<double>(first->resident.need));
        if (endpoint->account->listed_room >= wanted && room(*endpoint, wanted, true) > slack)
          return "a request waits although an endpoint has room";
      }
    }
  }
  return {};
}

}  // namespace turnpike::core
