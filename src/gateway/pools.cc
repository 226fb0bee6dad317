#include "gateway/pools.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace turnpike::gateway {

core::Pool* Pools::of_model(ModelId model) const {
  const auto found = by_model_.find(model);
  return found == by_model_.end() ? nullptr : found->second;
}

core::Pool* Pools::of_endpoint(EndpointId endpoint) const {
  const auto found = by_endpoint_.find(endpoint);
  return found == by_endpoint_.end() ? nullptr : found->second;
}

void Pools::serve_alone(EndpointId endpoint, TimePoint now) {
  const auto found = served_.find(endpoint);
  if (found == served_.end() || std::exchange(found->second.alone, true)) return;
  serve(core::EndpointSpec(found->second.spec), now);
}

void Pools::serve(const core::EndpointSpec& given, TimePoint now) {
  assert(!given.models.empty());
  Served& served = served_[given.id];
  served.spec = given;
  core::EndpointSpec spec = given;
  if (served.alone) spec.models.push_back(own_model(given.id));  // behind all others
  core::Pool* const current = of_endpoint(spec.id);
  core::Pool& pool = pool_for(spec.models, current, now);
  for (const ModelId model : spec.models) by_model_[model] = &pool;
  by_endpoint_[spec.id] = &pool;
  if (current == nullptr) {
    pool.add_endpoint(spec, now);
  } else {
    pool.set_models(spec.id, spec.models, now);
  }
}

core::Pool& Pools::pool_for(std::span<const ModelId> models, core::Pool* current, TimePoint now) {
  // The oldest pool concerned takes the others in, so that the result does not depend on the order of names.
  std::vector<core::Pool*> concerned;
  for (const auto& pool : pools_) {
    const bool shares = pool.get() == current || std::ranges::any_of(models, [&](ModelId m) {
                          return of_model(m) == pool.get();
                        });
    if (shares) concerned.push_back(pool.get());
  }
  if (concerned.empty()) {
    core::Pool& made = *pools_.emplace_back(std::make_unique<core::Pool>(params_));
    if (journal_ != nullptr) made.record_to(*journal_, made_++, now);
    return made;
  }
  for (std::size_t i = 1; i < concerned.size(); ++i) merge(*concerned[0], *concerned[i], now);
  return *concerned[0];
}

void Pools::merge(core::Pool& into, core::Pool& from, TimePoint now) {
  const core::Pool* const gone = &from;
  into.absorb(std::move(from), now);
  for (auto& [model, pool] : by_model_) {
    if (pool == gone) pool = &into;
  }
  for (auto& [endpoint, pool] : by_endpoint_) {
    if (pool == gone) pool = &into;
  }
  std::erase_if(pools_, [gone](const auto& pool) { return pool.get() == gone; });
}

void Pools::remove(EndpointId endpoint, TimePoint now) {
  core::Pool* const pool = of_endpoint(endpoint);
  if (pool == nullptr) return;
  pool->remove_endpoint(endpoint, now);
  by_endpoint_.erase(endpoint);
  served_.erase(endpoint);
}

void Pools::set_policy(const core::PoolParams& params, TimePoint now) {
  params_ = params;
  for (const auto& pool : pools_) pool->set_policy(params, now);
}

void Pools::advance(TimePoint now) {
  for (const auto& pool : pools_) {
    const auto deadline = pool->next_deadline();
    if (deadline && *deadline <= now) pool->advance(now);
  }
}

std::optional<TimePoint> Pools::next_deadline() const {
  std::optional<TimePoint> next;
  for (const auto& pool : pools_) {
    const auto deadline = pool->next_deadline();
    if (deadline && (!next || *deadline < *next)) next = deadline;
  }
  return next;
}

std::vector<Pools::Listed> Pools::list() const {
  std::vector<Listed> listed;
  listed.reserve(pools_.size());
  for (const auto& pool : pools_) listed.push_back({{}, pool.get()});
  for (const auto& [model, pool] : by_model_) {
    if (!alone_serving(model))
      std::ranges::find(listed, pool, &Listed::pool)->models.push_back(model);
  }
  for (Listed& entry : listed) std::ranges::sort(entry.models);
  return listed;
}

}  // namespace turnpike::gateway
