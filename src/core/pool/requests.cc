#include <algorithm>
#include <cassert>

#include "core/pool/state.h"

namespace turnpike::core {
Request& Pool::State::create(const Submission& submission, TimePoint now) {
  ++counters.submitted;
  assert(!numbers.contains(submission.id));
  const Number number = requests.emplace();
  Request& request = requests[number];
  request.submission = KeptSubmission(submission);
  request.streaming = submission.streaming;
  request.adapter = submission.adapter;
  numbers.insert(number);
  request.arrival = {.at = now, .number = ++submissions};
  if (const auto first = remembered.recall(params.retry, request.submission.identity, now)) {
    request.arrival.at = *first;
    ++counters.arrivals_kept;
  }
  if (submission.session) {
    request.session = &sessions.wake(submission.session, submission.tenant, now);
    recognise(*request.session, submission, now);
    request.inherited = request.session->critical_path;
  }
  return request;
}

// A doubtful id that comes again is a conversation's; its first turn counts from now on.
void Pool::State::recognise(Session& session, const Submission& submission, TimePoint now) {
  const bool was_doubted = session.seen && !session.confirmed;
  session.confirmed = session.confirmed || session.seen || !submission.doubtful_session;
  if (!session.seen && submission.parent) {
    // What it shares with the session that it comes from is most likely where that one's context was built.
    const Session* const parent = sessions.find(submission.parent);
    if (parent != nullptr) session.endpoint = parent->endpoint;
  }
  session.seen = true;
  if (!was_doubted || session.turns == 0) return;
  const Duration ttl = params.order.boost.ttl;
  if (ttl == Duration{0} || now - session.last_completed < ttl) tracker.completed(session.key, now);
}

Request* Pool::State::find(RequestId id) {
  const auto found = numbers.find(id);
  return found == numbers.end() ? nullptr : &requests[*found];
}

void Pool::State::enqueue(Request& request, TimePoint now) {
  request.enqueued = now;
  Session* session = request.session;
  std::uint64_t boost = 0;
  if (session != nullptr) {
    ++session->queued;
    session->waiting.push_back(request);
    if (params.order.sessions == SessionOrder::session_boost) {
      if (const auto recency = tracker.recency(session->key, now)) {
        if (!request.boosted) ++counters.boosts;
        request.boosted = true;
        boost = *recency;
      }
    }
    if (holding_endpoint(*session) != nullptr &&
        std::ranges::find(waiting_holders, session->key) == waiting_holders.end()) {
      waiting_holders.push_back(session->key);
    }
  }
  take_line(request);
  if (!request.is_retry()) {
    if (resident) {
      resident->enqueue(request, least_uncached(request), endpoint_with_context(request), now);
    } else {
      take_order(request, boost, now);
    }
    queue.push(request, session == nullptr || !session->running(), now);
  } else {
    queue.push_retry(request);
  }
}

// It leaves the queue without having been served.
void Pool::State::leave_queue(Request& request, TimePoint now) {
  if (resident) resident->withdraw(request, now);
  queue.erase(request);
  wait_over(request);
}

void Pool::State::wait_over(Request& request) {
  if (request.session == nullptr) return;
  --request.session->queued;
  request.session->waiting.remove(request);
}

void Pool::State::reject(Request& request, RejectReason reason, TimePoint now) {
  ++counters.rejected[static_cast<std::size_t>(reason)];
  decisions.emplace_back(Rejection{.request = request.submission.id,
                                   .reason = reason,
                                   .retry_after = retry_after(reason, now),
                                   .ahead = request.ticket.ahead,
                                   .overtaken = request.ticket.fared.overtaken});
  remembered.remember(params.retry, request.submission.identity, request.arrival.at, now);
  destroy(request, now);
}

void Pool::State::destroy(Request& request, TimePoint now) {
  assert(!request.dispatched());
  if (request.is_retry()) --retried;
  if (request.session != nullptr) sessions.rest(*request.session, now);
  const auto found = numbers.find(request.submission.id);
  const Number number = *found;
  numbers.erase(found);
  requests.erase(number);
}

// The queue is over its bound by `latest`, which has just come.
void Pool::State::refuse_surplus(Request& latest, RejectReason reason, TimePoint now) {
  const bool of_running_session = latest.session != nullptr && latest.session->running();
  const auto over = [&] {
    return queue.load().requests > params.limits.max_requests ||
           queue.load().bytes > params.limits.max_bytes;
  };
  if (reason == RejectReason::queue_full && of_running_session) {
    while (over()) {
      Request* newcomer = queue.youngest_newcomer();
      if (newcomer == nullptr) break;
      leave_queue(*newcomer, now);
      reject(*newcomer, RejectReason::displaced, now);
    }
    if (!over()) return;
  }
  leave_queue(latest, now);
  reject(latest, reason, now);
}

void Pool::State::end_program_turn(Request& request, Endpoint& endpoint, bool answered,
                                   TimePoint now) {
  const TokenCount capacity = capacity_of(params.admission, endpoint.ledger.capacity());
  programs->ended(request, endpoint, capacity, answered, now);
}

void Pool::State::end_lease(Request& request, TimePoint now) {
  RunningPart& running = *request.running;
  if (running.assumed_first_token != TimePoint::max()) {
    assumed_first_tokens.erase({running.assumed_first_token, *numbers.find(request.submission.id)});
    running.assumed_first_token = TimePoint::max();
  }
  end_prefill(running, now);
  running.lease.give_back(now);
  running.endpoint = nullptr;
  --in_flight;
}

}  // namespace turnpike::core
