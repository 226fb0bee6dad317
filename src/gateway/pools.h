#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "base/ids.h"
#include "base/units.h"
#include "core/journal/journal_writer.h"
#include "core/pool/pool.h"

namespace turnpike::gateway {

// The model that one endpoint alone serves: for a request that no other can answer. Never a name of a client's, and in no list of
// models; see Pools::serve_alone().
constexpr std::uint32_t kOwnModels = std::uint32_t{1} << 31U;
constexpr ModelId own_model(EndpointId endpoint) {
  return ModelId(kOwnModels | endpoint.value());
}
constexpr std::optional<EndpointId> alone_serving(ModelId model) {
  return (model.value() & kOwnModels) == 0 ? std::nullopt
                                           : std::optional(EndpointId(model.value() & ~kOwnModels));
}

// All pools of a gateway, and which endpoint and model is in which. Endpoints that serve a common model are in one pool, and
// an endpoint is in exactly one; pools that turn out to share a model are merged, and split only by a restart. A model's pool
// may change through a merge, so requests are addressed by their model. As pure as the pools themselves; whoever has the
// owner's role calls it.
class Pools {
 public:
  // `journal`: where all that happens to them is recorded; null: nowhere.
  explicit Pools(core::PoolParams params, core::JournalWriter* journal = nullptr)
      : params_(std::move(params)), journal_(journal) {}

  // The endpoint serves `spec.models` (sorted, not empty) from now on; it may be new.
  void serve(const core::EndpointSpec& spec, TimePoint now);
  // From now on the endpoint, which must serve something, also takes requests for its own model. Endpoints are grouped by what they
  // serve, so this is done only for those that need it.
  void serve_alone(EndpointId endpoint, TimePoint now);
  // It gets no new requests; those it runs keep their leases.
  void remove(EndpointId endpoint, TimePoint now);

  // For those there are and those to come.
  void set_policy(const core::PoolParams& params, TimePoint now);

  // Null: no endpoint has ever served it.
  [[nodiscard]] core::Pool* of_model(ModelId model) const;
  [[nodiscard]] core::Pool* of_endpoint(EndpointId endpoint) const;

  void advance(TimePoint now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const;

  // Calls `take` with every decision made since the last time.
  template <typename F>
  void drain(F&& take) {
    for (const auto& pool : pools_) {
      for (const core::Decision& decision : pool->take_decisions()) take(decision);
    }
  }

  struct Listed {
    std::vector<ModelId> models;  // sorted, without own ones
    core::Pool* pool;
  };
  // In order of creation.
  [[nodiscard]] std::vector<Listed> list() const;

 private:
  core::Pool& pool_for(std::span<const ModelId> models, core::Pool* current, TimePoint now);
  void merge(core::Pool& into, core::Pool& from, TimePoint now);

  core::PoolParams params_;
  core::JournalWriter* journal_;
  std::uint32_t made_ = 0;  // pools so far
  std::vector<std::unique_ptr<core::Pool>> pools_;
  struct Served {
    core::EndpointSpec spec;  // as it was given
    bool alone = false;       // its own model, too
  };
  absl::flat_hash_map<EndpointId, Served> served_;
  absl::flat_hash_map<ModelId, core::Pool*> by_model_;
  absl::flat_hash_map<EndpointId, core::Pool*> by_endpoint_;
};

}  // namespace turnpike::gateway
