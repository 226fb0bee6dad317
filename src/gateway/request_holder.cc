// Requests that go on from what one endpoint holds: an earlier answer or a conversation of the Responses API.

#include <fmt/format.h>

#include "gateway/request_life.h"
#include "gateway/stored_answers.h"
#include "gateway/worker.h"

namespace turnpike::gateway {

namespace {

// Where there is one endpoint there is no question who holds it.
std::shared_ptr<const EndpointEntry> only_endpoint(const Directory& directory) {
  std::shared_ptr<const EndpointEntry> only;
  for (const auto& endpoint : directory.endpoints) {
    if (endpoint == nullptr) continue;
    if (only != nullptr) return nullptr;
    only = endpoint;
  }
  return only;
}

}  // namespace

// A question about an answer has no body that could name a user.
void RequestLife::find_keeper() {
  const openai::HashSeed seed = worker_.settings().hash_seed;
  keeper_ = (caller_.verified ? openai::named_tenant(caller_.name, seed)
                              : openai::find_tenant(head_, {}, seed))
                .key;
}

RequestLife::Step RequestLife::find_holder() {
  if (route_ != openai::Route::responses) return Step::next;
  find_keeper();
  const bool goes_on = !facts_.previous_response.empty();
  const std::string& id = goes_on ? facts_.previous_response : facts_.kept_conversation;
  if (id.empty()) return Step::next;
  const auto place = worker_.shared().stored.find(keeper_, id);
  if (!place) {
    // A conversation that nobody has spoken in yet may begin anywhere.
    if (!goes_on || only_endpoint(worker_.directory()) != nullptr) return Step::next;
    return holder_is_unknown(id, "previous_response_id");
  }
  if (worker_.directory().endpoint(place->endpoint) == nullptr) return holder_is_gone();
  holder_ = place->endpoint;
  held_session_ = place->session;
  return Step::next;
}

// Neither computes anything nor waits for its turn: what is asked is about work that its endpoint has done or is doing.
net::Task<RequestLife::Step> RequestLife::ask_holder() {
  find_keeper();
  tenant_.key = keeper_;
  const std::string id(openai::stored_response_id(head_.path()));
  const auto place = worker_.shared().stored.find(keeper_, id);
  if (place) {
    endpoint_ = worker_.directory().endpoint(place->endpoint);
    if (endpoint_ == nullptr) co_return holder_is_gone();
    session_ = place->session;
  } else {
    endpoint_ = only_endpoint(worker_.directory());
    if (endpoint_ == nullptr) co_return holder_is_unknown(id);
  }
  dispatch_.endpoint = endpoint_->id;
  dispatch_.why = core::Why::bypass;
  upstream_body_.emplace(body_.view());
  build_upstream_request();
  const bool deletes = head_.method == "DELETE";
  Step step = co_await forward();
  if (step != Step::next) co_return step;
  if (deletes && answer_.status >= 200 && answer_.status < 300)
    worker_.shared().stored.forget(keeper_, id);
  co_return co_await relay();
}

void RequestLife::remember(const std::string& id) {
  const EndpointId endpoint = dispatch_.endpoint;
  if (!worker_.shared().stored.put(keeper_, id, {.endpoint = endpoint, .session = session_}))
    return;
  worker_.shared().owner.run(
      [endpoint](Pools& pools, TimePoint at) { pools.serve_alone(endpoint, at); });
}

RequestLife::Step RequestLife::holder_is_unknown(std::string_view id, std::string_view param) {
  return refuse(openai::Trouble::unknown_response,
                fmt::format("No endpoint is known to hold '{}'.", id), param);
}

RequestLife::Step RequestLife::holder_is_gone() {
  return refuse(openai::Trouble::unknown_response,
                "The endpoint that holds what this request refers to is gone.");
}

}  // namespace turnpike::gateway
