#include "core/pool/pool.h"

#include <algorithm>
#include <map>
#include <utility>

namespace turnpike::core {

struct Pool::State {
  struct Endpoint {
    EndpointSpec spec;
    Gauges gauges;
    std::size_t leases = 0;
    bool draining = false;
    bool healthy = true;

    [[nodiscard]] bool dispatchable() const { return healthy && !draining; }
  };
  struct Active {
    Submission submission;
    TimePoint arrived;
    int attempt = 1;
    EndpointId endpoint;
  };

  PoolParams params;
  std::map<EndpointId, Endpoint> endpoints;
  std::map<RequestId, Active> active;
  std::vector<RequestId> queue;
  std::vector<Decision> decisions;
  PoolCounters counters;

  bool has_room(const Endpoint& e) const {
    return e.dispatchable() &&
           (params.admission.rule == AdmissionRule::none || params.admission.limit == 0 ||
            e.leases < static_cast<std::size_t>(params.admission.limit));
  }

  Endpoint* best(const Submission& submission, EndpointId except) {
    Endpoint* found = nullptr;
    for (auto& [id, endpoint] : endpoints) {
      const auto& models = endpoint.spec.models;
      if (id == except || !has_room(endpoint) ||
          !std::ranges::binary_search(models, submission.model))
        continue;
      if (found == nullptr || endpoint.leases < found->leases) found = &endpoint;
    }
    return found;
  }

  void dispatch_all(TimePoint now) {
    std::erase_if(queue, [&](RequestId id) {
      Active& request = active.at(id);
      Endpoint* endpoint = best(request.submission, request.endpoint);
      if (endpoint == nullptr) return false;
      request.endpoint = endpoint->spec.id;
      ++endpoint->leases;
      ++counters.dispatched[static_cast<std::size_t>(Why::cold)];
      decisions.emplace_back(Dispatch{.request = id,
                                      .endpoint = endpoint->spec.id,
                                      .attempt = request.attempt,
                                      .waited = now - request.arrived});
      return true;
    });
  }

  void give_back(const Active& request) {
    if (auto e = endpoints.find(request.endpoint); e != endpoints.end()) --e->second.leases;
  }
};

Pool::Pool(const PoolParams& params) : state_(std::make_unique<State>()) {
  state_->params = params;
}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

void Pool::submit(const Submission& submission, TimePoint now) {
  ++state_->counters.submitted;
  state_->active.emplace(submission.id, State::Active{.submission = submission, .arrived = now, .endpoint = {}});
  state_->queue.push_back(submission.id);
  state_->dispatch_all(now);
}

bool Pool::cancel(RequestId request, TimePoint) {
  if (std::erase(state_->queue, request) == 0) return false;
  state_->active.erase(request);
  ++state_->counters.cancelled_queued;
  return true;
}

void Pool::first_token(RequestId, TimePoint) {}

void Pool::settle(RequestId request, const Settlement&, TimePoint now) {
  const auto found = state_->active.find(request);
  if (found == state_->active.end()) return;
  state_->give_back(found->second);
  state_->active.erase(found);
  ++state_->counters.finished;
  state_->dispatch_all(now);
}

void Pool::failed(RequestId request, FailureKind, TimePoint now) {
  const auto found = state_->active.find(request);
  if (found == state_->active.end()) return;
  state_->give_back(found->second);
  if (++found->second.attempt > 3) {
    state_->active.erase(found);
    state_->decisions.emplace_back(
        Rejection{.request = request, .reason = RejectReason::attempts_exhausted});
    return;
  }
  state_->queue.insert(state_->queue.begin(), request);
  state_->dispatch_all(now);
}

void Pool::observe(EndpointId endpoint, const Gauges& gauges, TimePoint, TimePoint now) {
  if (auto e = state_->endpoints.find(endpoint); e != state_->endpoints.end())
    e->second.gauges = gauges;
  state_->dispatch_all(now);
}
void Pool::add_endpoint(const EndpointSpec& spec, TimePoint now) {
  state_->endpoints[spec.id].spec = spec;
  state_->dispatch_all(now);
}
void Pool::remove_endpoint(EndpointId endpoint, TimePoint) {
  state_->endpoints.erase(endpoint);
}
void Pool::set_draining(EndpointId endpoint, bool draining, TimePoint now) {
  state_->endpoints[endpoint].draining = draining;
  state_->dispatch_all(now);
}
void Pool::set_models(EndpointId endpoint, std::vector<ModelId> models, TimePoint now) {
  state_->endpoints[endpoint].spec.models = std::move(models);
  state_->dispatch_all(now);
}
void Pool::set_healthy(EndpointId endpoint, bool healthy, TimePoint now) {
  state_->endpoints[endpoint].healthy = healthy;
  state_->dispatch_all(now);
}
void Pool::end_session(SessionKey, TimePoint) {}
void Pool::set_policy(const PoolParams& params, TimePoint now) {
  state_->params = params;
  state_->dispatch_all(now);
}
void Pool::advance(TimePoint) {}
void Pool::absorb(Pool&&, TimePoint) {}
std::optional<TimePoint> Pool::next_deadline() const {
  return std::nullopt;
}
std::vector<Decision> Pool::take_decisions() {
  return std::exchange(state_->decisions, {});
}

PoolView Pool::view(TimePoint) const {
  PoolView view;
  view.policy = state_->params.policy;
  view.queued = state_->queue.size();
  view.in_flight = state_->active.size() - state_->queue.size();
  for (const auto& [id, endpoint] : state_->endpoints) {
    view.leases += endpoint.leases;
    view.dispatchable += endpoint.dispatchable() ? 1 : 0;
  }
  view.endpoints = state_->endpoints.size();
  view.counters = state_->counters;
  return view;
}
std::vector<EndpointView> Pool::endpoints(TimePoint) const {
  std::vector<EndpointView> views;
  for (const auto& [id, endpoint] : state_->endpoints) {
    EndpointView& view = views.emplace_back();
    view.id = id;
    view.name = endpoint.spec.name;
    view.models = endpoint.spec.models;
    view.leases = endpoint.leases;
    view.gauges = endpoint.gauges;
    view.draining = endpoint.draining;
    view.healthy = endpoint.healthy;
    view.dispatchable = endpoint.dispatchable();
  }
  return views;
}
std::vector<QueuedView> Pool::queue(std::size_t, TimePoint) const {
  return {};
}
SessionPage Pool::sessions(std::size_t, std::uint32_t, TimePoint) const {
  return {};
}
std::optional<SessionView> Pool::session(SessionKey, TimePoint) const {
  return std::nullopt;
}

}  // namespace turnpike::core
