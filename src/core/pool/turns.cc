#include <algorithm>

#include "core/pool/state.h"
#include "core/queue/order_value.h"
#include "core/session/rules.h"

// What a request means to its session and its tenant: when it begins to wait, when it is dispatched, when it has ended.
namespace turnpike::core {
namespace {

// Tokens of the main chain once this turn is over.
TokenCount context_after(const KeptSubmission& submission, const Usage& usage) {
  return usage.prompt_tokens.value_or(submission.prompt_tokens) +
         usage.output_tokens.value_or(TokenCount(0));
}

std::uint64_t count_of(TokenCount tokens) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, tokens.value()));
}

bool extends_chain(const Session& session, const KeptSubmission& submission) {
  return session.chain_blocks > 0 && submission.blocks.size() >= session.chain_blocks &&
         submission.blocks[session.chain_blocks - 1] == session.chain_hash;
}

}  // namespace

// What the order needs to know of the request, as it is now. `recency`: of its session's completion, if it is boosted.
void Pool::State::take_order(Request& request, std::uint64_t recency, TimePoint now) {
  const Session* session = request.session;
  const KeptSubmission& submission = request.submission;
  OrderFacts facts{.arrival = request.arrival.at,
                   .now = now,
                   .priority = submission.priority,
                   .deadline = submission.deadline()};
  if (session != nullptr) {
    facts.critical_path = request.inherited;
    facts.attained = session->attained.value(now);
    facts.turns = session->turns;
  }
  if (params.order.sessions == SessionOrder::wspt) facts.uncached = least_uncached(request);
  request.order_value =
      request.boosted ? boosted_value(params.order, recency) : order_value(params.order, facts);
  request.starves_at = starves_at(params.order.starvation, request.enqueued,
                                  session == nullptr ? Duration{0} : session->starved_wait,
                                  session == nullptr ? Duration{0} : session->starved_service);
}

void Pool::State::turn_started(Request& request, const Endpoint& endpoint, TimePoint now) {
  RunningPart& running = *request.running;
  const double output = reserve.value() * params.order.fairness.output_weight;
  running.charged = params.order.fairness.input_weight * running.uncached.as_double() + output +
                    params.order.fairness.request_weight;
  charge(request, running.charged, now);
  Session* session = request.session;
  if (session == nullptr) return;
  running.main_chain = is_main_chain(request.submission.prompt_tokens, session->context_tokens,
                                     extends_chain(*session, request.submission));
  if (running.main_chain && session->turns > 0 && session->in_flight == 0 && request.attempt == 1) {
    const Duration gap = request.enqueued - session->last_completed;
    (session->ended_in_tool_call ? session->tool_gaps : session->person_gaps).add(gap);
  }
  session->endpoint = endpoint.spec.id;
  session->total_wait += now - request.enqueued;
  session->starved_wait += now - request.enqueued;
  if (request.rescued) session->starved_wait = session->starved_service = Duration{0};
  session->last_activity = now;
  ++session->in_flight;
  // The session has shown that it lives.
  const bool first_sign = session->turns == 0 && session->in_flight == 1;
  Request* sibling = first_sign ? session->waiting.first() : nullptr;
  for (; sibling != nullptr; sibling = LinkedList<Request, OfSession>::after(*sibling)) {
    queue.not_a_newcomer(*sibling);
  }
}

void Pool::State::turn_ended(Request& request, const Settlement& settlement, TimePoint now) {
  const RunningPart& running = *request.running;
  const bool answered = running.answered || settlement.ending == Ending::finished;
  const Usage& usage = settlement.usage;
  const TokenCount prompt = usage.prompt_tokens.value_or(request.submission.prompt_tokens);
  const TokenCount output = usage.output_tokens.value_or(TokenCount(0));
  switch (settlement.ending) {
    case Ending::finished:
      ++counters.finished;
      break;
    case Ending::failed:
      ++counters.failed;
      break;
    case Ending::cancelled:
      ++counters.cancelled;
      break;
  }
  if (settlement.ending == Ending::finished) {
    counters.prompt_tokens += count_of(prompt);
    counters.output_tokens += count_of(output);
    if (usage.output_tokens) reserve.add(output.as_double());
  }
  if (usage.cached_tokens) {
    counters.reported_cached_tokens += count_of(*usage.cached_tokens);
    counters.predicted_cached_tokens +=
        count_of(request.submission.prompt_tokens - running.uncached);
  }
  // What was charged at dispatch was expected; this is what was used.
  const FairnessParams& weights = params.order.fairness;
  const TokenCount computed =
      usage.cached_tokens ? prompt - *usage.cached_tokens : running.uncached;
  const double used =
      weights.input_weight * std::max(0.0, computed.as_double()) +
      weights.output_weight * (usage.output_tokens ? output.as_double() : reserve.value()) +
      weights.request_weight;
  if (answered) charge(request, used - running.charged, now);

  Session* session = request.session;
  if (session == nullptr) return;
  --session->in_flight;
  if (!answered) return;
  const Duration execution = now - running.lease.taken_at();
  session->critical_path =
      critical_path_after(session->critical_path, request.inherited, execution);
  session->starved_service += execution;
  if (running.main_chain) {
    ++session->turns;
    session->context_tokens = context_after(request.submission, usage);
    session->ended_in_tool_call = settlement.ended_in_tool_call;
    if (!request.submission.blocks.empty()) {
      session->chain_blocks = static_cast<std::uint32_t>(request.submission.blocks.size());
      session->chain_hash = request.submission.blocks.back();
    }
  }
  // Its endpoint may have more of the waiting turns' prompts now, and do without handing them over.
  if (params.pairs.hand_over != HandOver::none) {
    if (Endpoint* bound = fleet.find(session->endpoint)) fleet.note_change(*bound);
  }
  session->last_completed = now;
  if (session->confirmed) tracker.completed(session->key, now);
  boost_waiting(*session, now);
}

// A turn of the session has completed: those that wait are turns of a recently completed session now.
void Pool::State::boost_waiting(Session& session, TimePoint now) {
  const auto recency = tracker.recency(session.key, now);
  const bool boosts = recency && params.order.sessions == SessionOrder::session_boost &&
                      !params.order.boost.fixed_at_push;
  for (Request* waiting = session.waiting.first(); waiting != nullptr;
       waiting = LinkedList<Request, OfSession>::after(*waiting)) {
    queue.not_a_newcomer(*waiting);
    if (!boosts) continue;
    if (!waiting->boosted) ++counters.boosts;
    queue.boost(*waiting, *recency);
  }
}

void Pool::State::charge(const Request& request, double amount, TimePoint now) {
  if (request.session != nullptr) request.session->attained.add(amount, now);
  if (params.order.tenants == TenantOrder::none) return;
  accounts.roll(params.order.fairness, now);
  accounts.charge(request.submission.tenant, amount, now);
  queue.charged(request.submission.tenant);
}

}  // namespace turnpike::core
