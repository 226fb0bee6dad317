#include "core/session/session_table.h"

#include <cassert>

namespace turnpike::core {

void SessionTable::set_params(const SessionTableParams& params) {
  params_ = params;
  evict_surplus();
}

Session* SessionTable::find(SessionKey key) {
  const auto found = numbers_.find(key);
  return found == numbers_.end() ? nullptr : &(*sessions_)[found->number];
}

const Session* SessionTable::find(SessionKey key) const {
  const auto found = numbers_.find(key);
  return found == numbers_.end() ? nullptr : &(*sessions_)[found->number];
}

Session& SessionTable::wake(SessionKey key, TenantKey tenant, TimePoint now) {
  assert(key);
  if (Session* known = find(key)) {
    unlink(*known);
    return *known;
  }
  const Number number = sessions_->emplace();
  Session& session = (*sessions_)[number];
  session.key = key;
  numbers_.insert({.part = part_of(key), .number = number});
  session.tenant = tenant;
  session.last_activity = now;
  evict_surplus();
  return session;
}

void SessionTable::rest(Session& session, TimePoint now) {
  session.last_activity = now;
  if (session.in_flight > 0 || session.queued > 0) return;
  unlink(session);
  const Number number = numbers_.find(session.key)->number;
  session.idle = true;
  session.older = newest_;
  session.newer = 0;
  (newest_ == 0 ? oldest_ : (*sessions_)[newest_].newer) = number;
  newest_ = number;
  evict_surplus();
}

void SessionTable::forget(SessionKey key) {
  const auto found = numbers_.find(key);
  if (found == numbers_.end()) return;
  const Session& session = (*sessions_)[found->number];
  if (session.in_flight == 0 && session.queued == 0) erase(found->number);
}

void SessionTable::expire(TimePoint now, int limit) {
  for (; limit > 0; --limit) {
    const std::optional<TimePoint> next = next_expiry();
    if (!next || *next > now) return;
    erase(oldest_);
    ++evicted_;
  }
}

std::optional<TimePoint> SessionTable::next_expiry() const {
  if (params_.ttl == Duration{0} || oldest_ == 0) return std::nullopt;
  return (*sessions_)[oldest_].last_activity + params_.ttl;
}

const Session* SessionTable::next(std::uint32_t& number) const {
  while (number < sessions_->last_number()) {
    if (sessions_->contains(++number)) return &(*sessions_)[number];
  }
  return nullptr;
}

void SessionTable::unlink(Session& session) {
  if (!session.idle) return;
  (session.older == 0 ? oldest_ : (*sessions_)[session.older].newer) = session.newer;
  (session.newer == 0 ? newest_ : (*sessions_)[session.newer].older) = session.older;
  session.older = session.newer = 0;
  session.idle = false;
}

void SessionTable::evict_surplus() {
  while (sessions_->size() > params_.max_sessions && oldest_ != 0) {
    erase(oldest_);
    ++evicted_;
  }
}

void SessionTable::erase(Number number) {
  Session& session = (*sessions_)[number];
  unlink(session);
  numbers_.erase(numbers_.find(session.key));
  sessions_->erase(number);
}

}  // namespace turnpike::core
