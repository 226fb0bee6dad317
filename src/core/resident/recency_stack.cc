#include "core/resident/recency_stack.h"

#include <algorithm>

namespace turnpike::core {
namespace {

constexpr std::size_t kSmallest = 64;

std::size_t lowest_bit(std::size_t n) {
  return n & (~n + 1);
}

}  // namespace

void RecencyStack::touch(SessionKey session, TokenCount tokens) {
  if (const auto found = places_.find(session); found != places_.end()) remove(found->second);
  if (entries_.size() + 1 >= sums_.size()) squeeze();
  entries_.push_back({.session = session, .tokens = tokens.value()});
  places_[session] = entries_.size() - 1;
  add(entries_.size() - 1, tokens.value());
  total_ += tokens;
}

std::optional<TokenCount> RecencyStack::above(SessionKey session) const {
  const auto found = places_.find(session);
  if (found == places_.end()) return std::nullopt;
  return total_ - TokenCount(sum_to(found->second));
}

std::optional<TokenCount> RecencyStack::tokens(SessionKey session) const {
  const auto found = places_.find(session);
  if (found == places_.end()) return std::nullopt;
  return TokenCount(entries_[found->second].tokens);
}

void RecencyStack::forget(SessionKey session) {
  const auto found = places_.find(session);
  if (found == places_.end()) return;
  remove(found->second);
  places_.erase(found);
}

void RecencyStack::bound(TokenCount depth) {
  while (total_ > depth && oldest_ < entries_.size()) {
    const Entry oldest = entries_[oldest_];
    if (oldest.session) {
      remove(oldest_);
      places_.erase(oldest.session);
    }
    ++oldest_;
  }
}

void RecencyStack::clear() {
  *this = RecencyStack();
}

void RecencyStack::add(std::size_t place, std::int64_t tokens) {
  for (std::size_t i = place + 1; i < sums_.size(); i += lowest_bit(i)) sums_[i] += tokens;
}

std::int64_t RecencyStack::sum_to(std::size_t place) const {
  std::int64_t sum = 0;
  for (std::size_t i = place + 1; i > 0; i -= lowest_bit(i)) sum += sums_[i];
  return sum;
}

void RecencyStack::remove(std::size_t place) {
  Entry& entry = entries_[place];
  add(place, -entry.tokens);
  total_ -= TokenCount(entry.tokens);
  entry = {};
}

// Drops the gaps, and makes room for as many more.
void RecencyStack::squeeze() {
  std::erase_if(entries_, [](const Entry& entry) { return entry.session.is_none(); });
  oldest_ = 0;
  sums_.assign(2 * std::max(entries_.size(), kSmallest) + 1, 0);
  for (std::size_t place = 0; place < entries_.size(); ++place) {
    places_[entries_[place].session] = place;
    add(place, entries_[place].tokens);
  }
}

}  // namespace turnpike::core
