#include "core/prefix/prefix_index.h"

namespace turnpike::core {

void PrefixIndex::tell(PrefixHolders* holders, std::uint32_t endpoint) {
  if (holders_ != nullptr) take_back();
  holders_ = holders;
  endpoint_ = endpoint;
  if (holders_ == nullptr) return;
  // In the order of their places: that of a hash map differs from run to run.
  for (Place place = 1; place < slots_.size(); ++place) {
    const auto found = nodes_.find(slots_[place].hash);
    if (found != nodes_.end() && found->second == place) holders_->add(found->first, endpoint_);
  }
}

void PrefixIndex::take_back() {
  for (const auto& [hash, place] : nodes_) holders_->remove(hash, endpoint_);
}

std::size_t PrefixIndex::held(std::span<const std::uint64_t> blocks) const {
  return longest_part(blocks, [&](std::uint64_t hash) { return nodes_.contains(hash); });
}

std::size_t PrefixIndex::shared(std::span<const std::uint64_t> blocks) const {
  return longest_part(blocks, [&](std::uint64_t hash) {
    const auto found = nodes_.find(hash);
    return found != nodes_.end() && slots_[found->second].shared;
  });
}

// This block and all before it; those before a shared one are shared already.
void PrefixIndex::mark_shared(Place place) {
  for (; place != 0 && !slots_[place].shared; place = slots_[place].parent) {
    slots_[place].shared = true;
    ++shared_blocks_;
  }
}

std::uint64_t PrefixIndex::learn(std::span<const std::uint64_t> blocks, std::uint64_t owner,
                                 double tokens) {
  if (blocks.empty()) return 0;
  const double each = tokens / static_cast<double>(blocks.size());
  tokens_per_block_ += (tokens_per_block_ == 0 ? 1.0 : 0.02) * (each - tokens_per_block_);
  const std::size_t known = held(blocks);
  ++clock_;
  Place parent = 0;
  std::uint64_t used_before = 0;
  bool relink = false;
  if (known > 0) {
    parent = nodes_.find(blocks[known - 1])->second;
    Node& tail = slots_[parent];
    if (tail.owner != owner) mark_shared(parent);
    used_before = tail.used;
    tail.used = clock_;
    relink = tail.children == 0;
    if (relink) unlink(parent);
  }
  std::size_t grown = 0;
  for (std::size_t i = known; i < blocks.size(); ++i) {
    if (free_.empty()) {
      slots_.emplace_back();
      free_.push_back(static_cast<Place>(slots_.size() - 1));
    }
    const Place place = free_.back();
    if (!nodes_.try_emplace(blocks[i], place).second) break;  // no chain: what was there stays
    free_.pop_back();
    slots_[place] = {.hash = blocks[i], .used = clock_, .owner = owner, .parent = parent};
    if (parent != 0) ++slots_[parent].children;
    if (holders_ != nullptr) holders_->add(blocks[i], endpoint_);
    parent = place;
    ++grown;
  }
  if (grown > 0 || relink) link_newest(parent);  // the last of them is a leaf
  while (nodes_.size() > max_blocks_) evict_oldest();
  return used_before;
}

void PrefixIndex::lost(std::uint64_t used) {
  while (oldest_ != 0 && slots_[oldest_].used <= used) evict_oldest();
}

void PrefixIndex::clear() {
  if (holders_ != nullptr) take_back();
  nodes_.clear();
  slots_.assign(1, Node{});
  free_.clear();
  oldest_ = newest_ = 0;
  shared_blocks_ = 0;
}

void PrefixIndex::link_newest(Place place) {
  slots_[place].older = newest_;
  slots_[place].newer = 0;
  (newest_ == 0 ? oldest_ : slots_[newest_].newer) = place;
  newest_ = place;
}

void PrefixIndex::link_oldest(Place place) {
  slots_[place].newer = oldest_;
  slots_[place].older = 0;
  (oldest_ == 0 ? newest_ : slots_[oldest_].older) = place;
  oldest_ = place;
}

void PrefixIndex::unlink(Place place) {
  Node& node = slots_[place];
  (node.older == 0 ? oldest_ : slots_[node.older].newer) = node.newer;
  (node.newer == 0 ? newest_ : slots_[node.newer].older) = node.older;
  node.older = node.newer = 0;
}

void PrefixIndex::evict_oldest() {
  const Place place = oldest_;
  unlink(place);
  const Place parent = slots_[place].parent;
  nodes_.erase(slots_[place].hash);
  if (holders_ != nullptr) holders_->remove(slots_[place].hash, endpoint_);
  shared_blocks_ -= slots_[place].shared ? 1 : 0;
  free_.push_back(place);
  // What it extended is now a leaf, and no younger than it was.
  if (parent != 0 && --slots_[parent].children == 0) link_oldest(parent);
}

}  // namespace turnpike::core
