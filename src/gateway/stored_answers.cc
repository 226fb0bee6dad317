#include "gateway/stored_answers.h"

#include <utility>

#include "base/hash_chain.h"

namespace turnpike::gateway {

namespace {

std::uint64_t key_of(TenantKey tenant, std::string_view id) {
  return hash_bytes(id, tenant.value());
}

}  // namespace

bool StoredAnswers::put(TenantKey tenant, std::string_view id, const Place& place) {
  const std::uint64_t key = key_of(tenant, id);
  const std::scoped_lock lock(mutex_);
  old_.erase(key);
  keep(key, place);
  return endpoints_.insert(place.endpoint).second;
}

std::optional<StoredAnswers::Place> StoredAnswers::find(TenantKey tenant, std::string_view id) {
  const std::uint64_t key = key_of(tenant, id);
  const std::scoped_lock lock(mutex_);
  if (const auto found = young_.find(key); found != young_.end()) return found->second;
  const auto found = old_.find(key);
  if (found == old_.end()) return std::nullopt;
  const Place place = found->second;
  old_.erase(found);
  keep(key, place);
  return place;
}

void StoredAnswers::forget(TenantKey tenant, std::string_view id) {
  const std::uint64_t key = key_of(tenant, id);
  const std::scoped_lock lock(mutex_);
  young_.erase(key);
  old_.erase(key);
}

StoredAnswers::Sample StoredAnswers::sample() const {
  const std::scoped_lock lock(mutex_);
  return {.known = young_.size() + old_.size(), .forgotten = forgotten_};
}

void StoredAnswers::keep(std::uint64_t key, const Place& place) {
  young_.insert_or_assign(key, place);
  if (young_.size() <= half_) return;
  forgotten_ += old_.size();
  old_ = std::exchange(young_, {});
  // The newest begins the next generation.
  old_.erase(key);
  young_.emplace(key, place);
}

}  // namespace turnpike::gateway
