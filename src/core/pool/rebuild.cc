#include <algorithm>
#include <utility>

#include "core/pool/state.h"

namespace turnpike::core {

namespace {

// What two pools know of one session: what is newer counts, what was used adds up.
void merge_session(Session& own, const Session& other, TimePoint now) {
  if (own.turns == 0 || other.last_activity >= own.last_activity) {
    own.context_tokens = other.context_tokens;
    own.chain_hash = other.chain_hash;
    own.chain_blocks = other.chain_blocks;
    own.last_completed = other.last_completed;
    own.endpoint = other.endpoint;
    own.held_endpoint = other.held_endpoint;
    own.resident_at = other.resident_at;
    own.ended_in_tool_call = other.ended_in_tool_call;
    own.tool_gaps = other.tool_gaps;
    own.person_gaps = other.person_gaps;
  }
  own.attained.add(other.attained.value(now), now);
  own.critical_path = std::max(own.critical_path, other.critical_path);
  own.total_wait += other.total_wait;
  own.turns += other.turns;
}

}  // namespace

// Empties the queue; what waited, by how long it has.
std::vector<Request*> Pool::State::withdraw_all() {
  std::vector<Request*> waiting;
  while (Request* request = queue.longest_waiting()) {
    if (resident) resident->withdraw(*request, TimePoint{});
    queue.erase(*request);
    waiting.push_back(request);
  }
  return waiting;
}

// Starts or ends the account of residents with the policy that needs it. The queue is empty.
void Pool::State::use_policy() {
  bucket = {};
  start_programs();
  const bool wanted = params.order.sessions == SessionOrder::resident_set;
  fleet.note_changes(wanted || programs || params.placement.wait_for_home);
  if (wanted && resident) return resident->set_params(params.resident, params.order);
  if (!wanted && !resident) return;
  forget_residents();
  resident.reset();
  if (wanted) resident.emplace(params.resident, params.order, fleet, accounts);
}

// Every session begins without a place.
void Pool::State::start_programs() {
  for (const auto& [id, endpoint] : fleet.all()) {
    endpoint->programs = 0;
    endpoint->program_tokens = TokenCount(0);
  }
  for (const Number number : numbers) {
    if (RunningPart* running = requests[number].running.get()) running->in_program = false;
  }
  programs.reset();
  if (params.admission.rule == AdmissionRule::program) programs.emplace(params.program, fleet);
}

void Pool::State::forget_residents() {
  for (const Number number : numbers) {
    Request& request = requests[number];
    request.resident = {};
    if (request.running != nullptr) request.running->resident = {};
  }
  for (const auto& [id, endpoint] : fleet.all()) endpoint->account.reset();
}

// Puts requests into a new queue under the policy in force, with the waits they have.
void Pool::State::rebuild_queue(std::vector<Request*> waiting, TimePoint now) {
  std::ranges::sort(waiting, {},
                    [](const Request* r) { return std::pair(r->enqueued, r->arrival); });
  queue = Queue(params.order, accounts);
  for (Request* request : waiting) {
    const bool boosts =
        params.order.sessions == SessionOrder::session_boost && request->session != nullptr;
    const auto recency = boosts ? tracker.recency(request->session->key, now) : std::nullopt;
    request->boosted = boosts && (request->boosted || recency.has_value());
    take_line(*request);
    if (!request->is_retry()) {
      if (resident) {
        resident->enqueue(*request, least_uncached(*request), endpoint_with_context(*request), now);
      } else {
        take_order(*request, recency.value_or(0), now);
      }
      queue.push(*request, request->session == nullptr || !request->session->running(), now);
    } else {
      queue.push_retry(*request);
    }
  }
}

void Pool::State::absorb(State& other, TimePoint now) {
  std::vector<Request*> waiting = withdraw_all();
  std::vector<Request*> theirs = other.withdraw_all();
  tracker.absorb(other.tracker, now);
  other.forget_residents();

  // Sessions first: requests point at them.
  std::uint32_t cursor = 0;
  while (const Session* session = other.sessions.next(cursor)) {
    Session& own = sessions.wake(session->key, session->tenant, now);
    merge_session(own, *session, now);
    const TimePoint active = std::max(own.last_activity, session->last_activity);
    sessions.rest(own, active);
  }

  for (std::unique_ptr<Endpoint>& endpoint : other.fleet.release_all())
    fleet.adopt(std::move(endpoint), now);
  other.programs.reset();
  start_programs();
  fleet.refresh_all(now);

  std::vector<Number> moving(other.numbers.begin(), other.numbers.end());
  other.numbers.clear();  // while their ids are still there
  std::ranges::sort(moving, {}, [&](Number number) { return other.requests[number].arrival; });
  for (const Number theirs_number : moving) {
    Request* old = &other.requests[theirs_number];
    if (old->session != nullptr) old->session->waiting.remove(*old);
    const Number number = requests.emplace();
    Request& request = requests[number];
    request = std::move(*old);
    numbers.insert(number);
    request.arrival.number = ++submissions;
    if (request.running != nullptr) request.running->in_program = false;
    if (request.session != nullptr) {
      request.session = &sessions.wake(request.session->key, request.session->tenant, now);
      if (request.dispatched()) {
        ++request.session->in_flight;
      } else {
        ++request.session->queued;
        request.session->waiting.push_back(request);
      }
    }
    if (request.dispatched() && request.running->assumed_first_token != TimePoint::max()) {
      assumed_first_tokens.emplace(request.running->assumed_first_token, number);
    }
    if (!request.dispatched()) waiting.push_back(&request);
  }

  in_flight += other.in_flight;
  retried += other.retried;
  counters.add(other.counters);
  decisions.insert(decisions.end(), other.decisions.begin(), other.decisions.end());
  waiting_holders.insert(waiting_holders.end(), other.waiting_holders.begin(),
                         other.waiting_holders.end());
  rebuild_queue(std::move(waiting), now);
}

}  // namespace turnpike::core
