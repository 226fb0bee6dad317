#include "admin/views_json.h"

#include <optional>

#include <fmt/format.h>

namespace turnpike::admin {

namespace {

using Json = nlohmann::ordered_json;

Json seconds(std::optional<Duration> duration) {
  return duration ? Json(to_seconds(*duration)) : Json();
}
Json tokens(std::optional<TokenCount> count) {
  return count ? Json(count->value()) : Json();
}
template <typename T>
Json value_of(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
template <typename Id>
Json key(Id id) {
  return id.is_none() ? Json() : Json(fmt::format("{:016x}", id.value()));
}

Json text(const std::string& value) {
  return value.empty() ? Json() : Json(value);
}

// What the decision means, for somebody who does not have the documentation at hand.
std::string_view rule_of(const telemetry::AccessRecord& record) {
  if (record.decision == "resident")
    return "its session has a place in the endpoint's cache; such turns wait for nobody else";
  if (record.decision == "boosted") return "its session has completed a turn lately";
  if (record.decision == "seat")
    return "it had passed its virtual deadline; the endpoint made room for it";
  if (record.decision == "deadline") return "the deadline it came with decided its place";
  if (record.decision == "bypass") return "it did not have to wait for anybody";
  if (record.decision == "cold") return "its turn came in the order of the policy";
  return "it was never dispatched";
}

template <typename E, typename Counts>
Json by_name(const Counts& counts) {
  Json object = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i)
    object[std::string(core::to_string(static_cast<E>(i)))] = counts[i];
  return object;
}

}  // namespace

Json to_json(const core::PoolView& view, const Json& models) {
  const core::PoolCounters& c = view.counters;
  return {
      {"models", models},
      {"policy", view.policy},
      {"queued", view.queued},
      {"in_flight", view.in_flight},
      {"leases", view.leases},
      {"queued_bytes", view.queued_bytes.value()},
      {"queued_tokens", view.queued_tokens.value()},
      {"endpoints", view.endpoints},
      {"dispatchable", view.dispatchable},
      {"panic", view.panic},
      {"sessions", view.sessions},
      {"sessions_tracked", view.sessions_tracked},
      {"slots_held", view.slots_held},
      {"dispatched_tokens_per_second", view.dispatched_tokens_per_second},
      {"predicted_wait_seconds", seconds(view.predicted_wait)},
      {"counters",
       {{"submitted", c.submitted},
        {"dispatched", by_name<core::Why>(c.dispatched)},
        {"rejected", by_name<core::RejectReason>(c.rejected)},
        {"finished", c.finished},
        {"failed", c.failed},
        {"cancelled", c.cancelled},
        {"cancelled_queued", c.cancelled_queued},
        {"retries", c.retries},
        {"boosts", c.boosts},
        {"overtakes", c.overtakes},
        {"overtake_limit_hits", c.overtake_limit_hits},
        {"rebinds", c.rebinds},
        {"grace_held", c.grace_held},
        {"grace_used", c.grace_used},
        {"breaker_opened", c.breaker_opened},
        {"sessions_evicted", c.sessions_evicted},
        {"arrivals_kept", c.arrivals_kept},
        {"predicted_cached_tokens", c.predicted_cached_tokens},
        {"reported_cached_tokens", c.reported_cached_tokens},
        {"prompt_tokens", c.prompt_tokens},
        {"output_tokens", c.output_tokens}}},
  };
}

Json to_json(const gateway::Fleet::Status& status, const core::EndpointView* view) {
  Json json = {{"name", status.name},
               {"url", status.url},
               {"models", status.models},
               {"healthy", status.healthy},
               {"trouble", status.trouble.empty() ? Json() : Json(status.trouble)},
               {"dialect", status.dialect.empty() ? Json() : Json(status.dialect)},
               {"scrapes", status.scrapes},
               {"scrape_failures", status.scrape_failures},
               {"restarts", status.restarts},
               {"dispatchable", view != nullptr && view->dispatchable}};
  if (view == nullptr) return json;
  json["has_room"] = view->has_room;
  json["leases"] = view->leases;
  json["running_tokens"] = view->running_tokens.value();
  json["backlog_tokens"] = view->backlog_tokens.value();
  json["resident_tokens"] = tokens(view->resident_tokens);
  json["capacity_tokens"] = tokens(view->capacity_tokens);
  json["slots"] = view->slots;
  json["slots_held"] = view->slots_held;
  json["foreign"] = view->foreign;
  json["seconds_per_token"] = view->seconds_per_token;
  json["gauges"] = {{"running", value_of(view->gauges.running)},
                    {"waiting", value_of(view->gauges.waiting)},
                    {"kv_usage", value_of(view->gauges.kv_usage)},
                    {"kv_capacity_tokens", tokens(view->gauges.kv_capacity)},
                    {"age_seconds", seconds(view->gauge_age)}};
  json["breaker"] = core::to_string(view->breaker);
  json["refuses"] = view->refuses;
  json["draining"] = view->draining;
  json["dispatched"] = view->dispatched;
  json["failures"] = view->failures;
  json["sheds"] = view->sheds;
  return json;
}

Json to_json(const core::QueuedView& view, const std::string& model) {
  return {{"id", fmt::format("{:016x}", view.id.value())},
          {"position", view.position},
          {"model", model},
          {"session", key(view.session)},
          {"tenant", key(view.tenant)},
          {"prompt_tokens", view.prompt_tokens.value()},
          {"waited_seconds", to_seconds(view.waited)},
          {"boosted", view.boosted},
          {"attempt", view.attempt},
          {"predicted_wait_seconds", seconds(view.predicted_wait)}};
}

Json to_json(const telemetry::RecentRequest& request,
             const std::vector<telemetry::RecentRequest>& passed) {
  const telemetry::AccessRecord& r = request.record;
  Json json = {{"id", r.request_id},
               {"model", r.model},
               {"session", key(r.session)},
               {"session_from", text(r.session_from)},
               {"tenant", key(r.tenant)},
               {"status", r.status},
               {"reason", text(r.reason)},
               {"endpoint", text(r.endpoint)},
               {"attempts", r.attempts},
               {"waited_seconds", to_seconds(r.queued)},
               {"first_token_seconds", seconds(r.first_token)},
               {"total_seconds", to_seconds(r.total)},
               {"decision", text(r.decision)},
               {"rule", rule_of(r)}};
  if (!r.explanation) return json;
  const core::Explanation& e = *r.explanation;
  json["ahead"] = e.ahead;
  if (!r.decision.empty()) json["overtook"] = e.overtook;
  json["overtaken"] = e.overtaken;
  Json passers = Json::array();
  for (const telemetry::RecentRequest& passer : passed) {
    passers.push_back({{"id", passer.record.request_id},
                       {"session", key(passer.record.session)},
                       {"tenant", key(passer.record.tenant)},
                       {"decision", text(passer.record.decision)},
                       {"waited_seconds", to_seconds(passer.record.queued)}});
  }
  json["passed_by"] = std::move(passers);
  if (r.decision.empty()) return json;
  const bool weighed = !r.runner_up.empty();
  json["choice"] = {{"candidates", e.weighing.candidates},
                    {"score", weighed ? Json(e.weighing.score) : Json()},
                    {"runner_up", text(r.runner_up)},
                    {"runner_up_score", weighed ? Json(e.weighing.runner_up_score) : Json()}};
  json["uncached_tokens"] = e.uncached.value();
  json["need_tokens"] = tokens(e.need);
  json["room_tokens"] = tokens(e.room);
  json["input_tokens"] = tokens(r.input_tokens);
  json["cached_tokens"] = tokens(r.cached_tokens);
  json["output_tokens"] = tokens(r.output_tokens);
  return json;
}

Json to_json(const core::SessionView& view, const gateway::Directory& directory) {
  const auto endpoint = directory.endpoint(view.endpoint);
  return {{"session", key(view.key)},
          {"tenant", key(view.tenant)},
          {"mode", core::to_string(view.mode)},
          {"endpoint", endpoint ? Json(endpoint->name) : Json()},
          {"context_tokens", view.context_tokens.value()},
          {"turns", view.turns},
          {"in_flight", view.in_flight},
          {"queued", view.queued},
          {"total_wait_seconds", to_seconds(view.total_wait)},
          {"since_completed_seconds", seconds(view.since_completed)},
          {"idle_seconds", to_seconds(view.idle)},
          {"boosted", view.boosted}};
}

}  // namespace turnpike::admin
