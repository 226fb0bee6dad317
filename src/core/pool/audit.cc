#include <algorithm>

#include "core/admission/room.h"
#include "core/pool/state.h"

namespace turnpike::core {

// Recounts everything. Slow; for property tests, which call it after every event.
std::string Pool::State::broken_invariant(TimePoint now) {
  const auto said = [](const char* what, auto a, auto b) {
    return std::string(what) + ": " + std::to_string(a) + " is not " + std::to_string(b);
  };
  std::size_t queued = 0;
  std::size_t dispatched = 0;
  std::size_t failed_before = 0;
  TokenCount queued_tokens;
  std::map<const Endpoint*, int> leases;
  std::map<const Endpoint*, TokenCount> contexts;
  std::map<const Endpoint*, TokenCount> prefills;  // prompts that others answer
  std::map<const Session*, std::pair<int, int>> of_session;
  for (const Number number : numbers) {
    const Request& request = requests[number];
    failed_before += request.is_retry() ? 1 : 0;
    auto& [running, waiting] = of_session[request.session];
    if (!request.dispatched()) {
      ++queued;
      ++waiting;
      queued_tokens += request.submission.prompt_tokens;
      continue;
    }
    ++dispatched;
    ++running;
    const RunningPart& part = *request.running;
    ++leases[part.endpoint];
    contexts[part.endpoint] += request.submission.prompt_tokens;
    if ((part.prefill != nullptr) != static_cast<bool>(part.prefill_lease))
      return "a prefill endpoint without a lease";
    if (part.prefill != nullptr) {
      ++leases[part.prefill];
      prefills[part.prefill] += part.uncached;
    }
    const auto tried = request.tried();
    if (std::ranges::find(tried, part.endpoint->spec.id) != tried.end()) {
      return "a request runs where it has failed";
    }
  }
  if (queued != queue.load().requests) return said("queued", queue.load().requests, queued);
  if (queued_tokens != queue.load().tokens)
    return said("queued tokens", queue.load().tokens.value(), queued_tokens.value());
  if (waiting_in_order(queued + 1, now).size() != queued)
    return said("listed", waiting_in_order(queued + 1, now).size(), queued);
  if (dispatched != in_flight) return said("in flight", in_flight, dispatched);
  if (failed_before != retried) return said("retried", retried, failed_before);

  const PoolCounters& c = counters;
  std::uint64_t ended = c.finished + c.failed + c.cancelled + c.cancelled_queued;
  for (const std::uint64_t n : c.rejected) ended += n;
  if (c.submitted != ended + queued + dispatched)
    return said("submitted", c.submitted, ended + queued + dispatched);

  for (const auto& [session, counts] : of_session) {
    if (session == nullptr) continue;
    if (session->in_flight != counts.first)
      return said("session in flight", session->in_flight, counts.first);
    if (session->queued != counts.second)
      return said("session queued", session->queued, counts.second);
  }

  for (const auto& [id, endpoint] : fleet.all()) {
    const Ledger& ledger = endpoint->ledger;
    if (ledger.leases() != leases[endpoint.get()])
      return said("leases", ledger.leases(), leases[endpoint.get()]);
    if (ledger.running_tokens() != contexts[endpoint.get()])
      return "running tokens are not those of the leases";
    if (ledger.backlog() < prefills[endpoint.get()] ||
        ledger.backlog() > ledger.running_tokens() + prefills[endpoint.get()])
      return "backlog out of range";
    if (ledger.leases() == 0 && ledger.backlog() != TokenCount(0)) return "backlog without leases";
    if (endpoint->removed && ledger.leases() == 0) return "a removed endpoint stays";
    if (const std::string wrong = fleet.inexact(*endpoint, now); !wrong.empty()) return wrong;
  }

  if (resident) {
    const std::size_t retries = queue.retries().size();
    if (resident->waiting() + retries != queued)
      return said("in lines", resident->waiting() + retries, queued);
    return resident->broken_invariant(now);
  }

  if (programs) {
    if (std::string wrong = programs->broken_invariant(); !wrong.empty()) return wrong;
  }
  if (!may_dispatch(now)) return {};
  // Work-conserving: nothing waits that could go, whether the queue would find it or not.
  std::size_t for_one = 0;
  std::string idle;
  for (const Number number : numbers) {
    const Request& request = requests[number];
    if (request.dispatched() || request.only) continue;
    fleet.collect(request, candidate_endpoints);
    if (!candidate_endpoints.empty()) idle = "a request waits that an endpoint would take";
  }
  queue.for_each_model([&](ModelId model) {
    ModelQueue& waiting = *queue.find(model);
    if (waiting.first_anywhere(fleet.opening(model), now).request != nullptr) {
      idle = "a request waits although an endpoint has room";
    }
    for (const EndpointId id : waiting.waited_for()) {
      for_one += waiting.waiting_for(id).size();
      const Endpoint* endpoint = fleet.find(id);
      if (endpoint == nullptr || !endpoint->can_serve(model))
        idle = "a request waits for an endpoint that gets nothing";
      if (waiting.first_at(id, fleet.opening_at(id), now).request != nullptr)
        idle = "a request waits although its endpoint has room";
    }
  });
  if (for_one != queue.waiting_for_one())
    return said("waiting for one endpoint", queue.waiting_for_one(), for_one);
  return idle;
}

}  // namespace turnpike::core
