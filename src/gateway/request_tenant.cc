// Who sent a request, and what he may: credentials, limits, priority.

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/ascii.h"
#include "gateway/request_life.h"
#include "gateway/worker.h"

namespace turnpike::gateway {

namespace {

// What it is called in messages.
std::string_view name_of(tenant::Limited what) {
  switch (what) {
    case tenant::Limited::requests:
      return "requests";
    case tenant::Limited::input_tokens:
      return "input tokens";
    case tenant::Limited::output_tokens:
      return "output tokens";
  }
  return {};
}

}  // namespace

RequestLife::Step RequestLife::admit_caller() {
  tenants_ = worker_.tenants();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  caller_ = tenants_->caller(head_, std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (caller_.refused.empty()) return Step::next;
  // Its body stays unread.
  keep_client_ = keep_client_ && head_.framing == http::Framing::none;
  route_ = openai::find_route(head_.method, head_.path());
  return refuse(openai::Trouble::unauthorized, caller_.refused);
}

void RequestLife::find_tenant() {
  const openai::HashSeed seed = worker_.settings().hash_seed;
  tenant_ = caller_.verified ? openai::named_tenant(caller_.name, seed)
                             : openai::find_tenant(head_, facts_, seed);
}

// What it takes is given back, or corrected, by settle_limits().
RequestLife::Step RequestLife::take_limits() {
  const tenant::Terms& terms = *caller_.terms;
  prompt_estimate_ = facts_.prompt.estimate();
  if (terms.max_in_flight > 0) {
    auto permit = worker_.shared().in_flight.take(tenant_.key, terms.max_in_flight);
    if (!permit) {
      return refuse(openai::Trouble::tenant_in_flight,
                    fmt::format("You have {} requests on their way, which is your limit.",
                                terms.max_in_flight));
    }
    in_flight_ = *std::move(permit);
  }
  if (!terms.minute.any()) return Step::next;
  const auto refused =
      worker_.shared().rate_limits.take(tenant_.key, model_, terms.minute, prompt_estimate_, now());
  if (refused) {
    return refuse(openai::Trouble::rate_limited,
                  fmt::format("Your limit of {} per minute for the model '{}' is used up.",
                              name_of(refused->what), facts_.model),
                  {}, refused->retry_after);
  }
  charged_ = true;
  return Step::next;
}

void RequestLife::settle_limits() {
  in_flight_ = {};
  if (!std::exchange(charged_, false)) return;
  // Who got nothing has used nothing.
  const bool used = record_.dispatched != TimePoint{};
  const core::Usage& usage = settlement_.usage;
  const TokenCount input = used ? usage.prompt_tokens.value_or(prompt_estimate_) : TokenCount(0);
  worker_.shared().rate_limits.settle(tenant_.key, model_, caller_.terms->minute,
                                      input - prompt_estimate_,
                                      usage.output_tokens.value_or(TokenCount(0)), now());
}

tenant::RateHeaders RequestLife::rate_headers() const {
  return tenant::RateHeaders(
      worker_.shared().rate_limits.standings(tenant_.key, model_, caller_.terms->minute, now()));
}

// A field that only those may set who are known.
std::string_view RequestLife::caller_header(std::string_view name) const {
  if (!caller_.verified && !tenants_->rules().trust_unverified) return {};
  const http::Field* const field = head_.find(name);
  return field == nullptr ? std::string_view() : field->value;
}

int RequestLife::priority() const {
  const auto wanted = tenant::priority_class(caller_header("x-turnpike-priority"))
                          .value_or(tenant::PriorityClass::standard);
  return static_cast<int>(std::min(wanted, caller_.terms->max_class));
}

// When the first token is wanted; the sooner of both fields.
std::optional<TimePoint> RequestLife::deadline() const {
  std::optional<TimePoint> soonest;
  for (const std::string_view name : {"x-turnpike-deadline-ms", "x-slo-ttft-ms"}) {
    const auto within = parse_unsigned<std::uint32_t>(caller_header(name));
    if (!within) continue;
    const TimePoint at = received_ + std::chrono::milliseconds(*within);
    soonest = std::min(soonest.value_or(at), at);
  }
  return soonest;
}

}  // namespace turnpike::gateway
