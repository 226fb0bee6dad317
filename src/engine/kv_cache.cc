#include "engine/kv_cache.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace turnpike::engine {

KvCache::KvCache(std::uint32_t total) : total_(total), free_(total), by_hash_(64) {
  if (total > 0) append_free(new_extent({.length = total}));
}

KvCache::Match KvCache::match(std::span<const BlockHash> chain,
                              std::vector<HeldPart>& found) const {
  Match match;
  found.clear();
  while (!chain.empty()) {
    const Index index = by_hash_.find(chain.front());
    if (index == kNone) break;
    const Extent& extent = extents_[index];
    const std::uint32_t length = common(contents(extent), chain);
    found.push_back({.extent = index, .blocks = length});
    match.blocks += length;
    if (extent.holders == 0) match.from_free += length;
    chain = chain.subspan(length);
  }
  return match;
}

std::uint32_t KvCache::match_length(std::span<const BlockHash> chain) const {
  std::vector<HeldPart> found;
  return match(chain, found).blocks;
}

void KvCache::hold(std::span<const HeldPart> found, Holding& holding) {
  assert(holding.parts.empty() && holding.blank == 0);
  for (HeldPart part : found) {
    if (part.blocks < extents_[part.extent].length) {
      split(part.extent, part.blocks);
      part.extent = extents_[part.extent].before;
    }
    Extent& extent = extents_[part.extent];
    if (extent.holders++ == 0) {
      remove_free(part.extent);
      free_ -= extent.length;
    }
    holding.parts.push_back(part);
    holding.published += part.blocks;
  }
}

void KvCache::take(std::uint32_t blocks, Holding& holding, std::vector<BlockHash>* forgotten) {
  assert(blocks <= free_);
  free_ -= blocks;
  holding.blank += blocks;
  while (blocks > 0) {
    const std::uint32_t some = std::min(blocks, extents_[oldest_].length);
    give_up(oldest_, some, forgotten);
    blocks -= some;
  }
}

void KvCache::publish(std::span<const BlockHash> chain, Holding& holding) {
  assert(chain.size() <= holding.blank);
  holding.blank -= static_cast<std::uint32_t>(chain.size());
  holding.published += static_cast<std::uint32_t>(chain.size());
  while (!chain.empty()) {
    const Index first = by_hash_.find(chain.front());
    const auto all = static_cast<std::uint32_t>(chain.size());
    if (first == kNone) {
      // The rest is new.
      if (!holding.parts.empty() && may_grow(holding.parts.back().extent)) {
        HeldPart& last = holding.parts.back();
        Extent& extent = extents_[last.extent];
        std::vector<BlockHash>& hashes = texts_[extent.text].hashes;
        hashes.insert(hashes.end(), chain.begin(), chain.end());
        extent.length += all;
        last.blocks += all;
        return;
      }
      Index text = static_cast<Index>(texts_.size());
      if (unused_texts_.empty()) {
        texts_.emplace_back();
      } else {
        text = unused_texts_.back();
        unused_texts_.pop_back();
      }
      texts_[text].hashes.assign(chain.begin(), chain.end());
      const Index fresh = new_extent({.text = text, .length = all, .holders = 1, .first = true});
      by_hash_.find_or_insert(chain.front(), fresh);
      holding.parts.push_back({.extent = fresh, .blocks = all});
      return;
    }
    // Somebody has computed the same beside it: twins, of equal length.
    const std::uint32_t length = common(contents(extents_[first]), chain);
    Index twin_of = first;
    if (length < extents_[first].length) {
      split(first, length);
      twin_of = extents_[first].before;
    }
    const Extent& other = extents_[twin_of];
    const Index fresh = new_extent({.text = other.text,
                                    .offset = other.offset,
                                    .length = length,
                                    .holders = 1,
                                    .twin = other.twin});
    extents_[twin_of].twin = fresh;
    holding.parts.push_back({.extent = fresh, .blocks = length});
    chain = chain.subspan(length);
  }
}

void KvCache::release(Holding& holding) {
  if (holding.blank > 0) {
    free_ += holding.blank;
    if (newest_ != kNone && extents_[newest_].text == kNone) {
      extents_[newest_].length += holding.blank;
    } else {
      append_free(new_extent({.length = holding.blank}));
    }
  }
  for (std::size_t i = holding.parts.size(); i-- > 0;) {
    HeldPart part = holding.parts[i];
    while (part.blocks > 0) {
      Extent& extent = extents_[part.extent];
      assert(extent.holders > 0 && extent.length <= part.blocks);
      if (--extent.holders == 0) {
        append_free(part.extent);
        free_ += extent.length;
      }
      part = {.extent = extent.before, .blocks = part.blocks - extent.length};
    }
  }
  holding.parts.clear();
  holding.published = holding.blank = 0;
}

// How long the prefix is that they have in common.
std::uint32_t KvCache::common(std::span<const BlockHash> a, std::span<const BlockHash> b) {
  const std::size_t most = std::min(a.size(), b.size());
  if (a[most - 1] == b[most - 1]) return static_cast<std::uint32_t>(most);
  std::size_t same = 0;  // blocks known to be equal, and to differ
  std::size_t differ = most - 1;
  while (same < differ) {
    const std::size_t middle = (same + differ) / 2;
    if (a[middle] == b[middle]) {
      same = middle + 1;
    } else {
      differ = middle;
    }
  }
  return static_cast<std::uint32_t>(same);
}

KvCache::Index KvCache::new_extent(const Extent& extent) {
  if (extent.text != kNone) ++texts_[extent.text].users;
  if (unused_extents_.empty()) {
    extents_.push_back(extent);
    return static_cast<Index>(extents_.size() - 1);
  }
  const Index index = unused_extents_.back();
  unused_extents_.pop_back();
  extents_[index] = extent;
  return index;
}

// It is in no list and in no index.
void KvCache::drop(Index index) {
  Extent& extent = extents_[index];
  if (extent.text != kNone && --texts_[extent.text].users == 0) {
    texts_[extent.text].hashes = {};
    unused_texts_.push_back(extent.text);
  }
  extent = {};
  unused_extents_.push_back(index);
}

void KvCache::append_free(Index index) {
  if (newest_ != kNone) {
    insert_newer(index, newest_);
    return;
  }
  extents_[index].older = extents_[index].newer = kNone;
  oldest_ = newest_ = index;
}

void KvCache::insert_newer(Index index, Index than) {
  const Index newer = std::exchange(extents_[than].newer, index);
  extents_[index].older = than;
  extents_[index].newer = newer;
  (newer == kNone ? newest_ : extents_[newer].older) = index;
}

void KvCache::remove_free(Index index) {
  const Index older = std::exchange(extents_[index].older, kNone);
  const Index newer = std::exchange(extents_[index].newer, kNone);
  (older == kNone ? oldest_ : extents_[older].newer) = newer;
  (newer == kNone ? newest_ : extents_[newer].older) = older;
}

// Its first `at` blocks, and those of its twins, become extents of their own.
void KvCache::split(Index first, std::uint32_t at) {
  const BlockHash head = contents(extents_[first]).front();
  assert(extents_[first].first && at > 0 && at < extents_[first].length);
  Index last = kNone;  // of the new twins
  for (Index index = first; index != kNone; index = extents_[index].twin) {
    Extent beginning = extents_[index];
    beginning.length = at;
    beginning.twin = kNone;
    const Index fresh = new_extent(beginning);
    Extent& rest = extents_[index];
    rest.offset += at;
    rest.length -= at;
    rest.before = fresh;
    if (rest.holders == 0) insert_newer(fresh, index);
    if (last == kNone) {
      by_hash_.replace(head, fresh);
    } else {
      extents_[last].twin = fresh;
    }
    last = fresh;
  }
  by_hash_.find_or_insert(contents(extents_[first]).front(), first);
}

// Its last blocks are taken; it is the oldest of the free ones.
void KvCache::give_up(Index index, std::uint32_t blocks, std::vector<BlockHash>* forgotten) {
  if (extents_[index].text != kNone && !(extents_[index].first && extents_[index].twin == kNone)) {
    if (const std::uint32_t length = extents_[index].length; blocks < length) {
      split(by_hash_.find(contents(extents_[index]).front()), length - blocks);
    }
    leave_twins(index, forgotten);
    remove_free(index);
    drop(index);
    return;
  }
  Extent& extent = extents_[index];
  if (extent.text != kNone) {
    std::vector<BlockHash>& hashes = texts_[extent.text].hashes;
    const auto lost = contents(extent).last(blocks);
    if (forgotten != nullptr) forgotten->insert(forgotten->end(), lost.rbegin(), lost.rend());
    if (blocks == extent.length) by_hash_.erase(lost.front());
    const std::size_t end = extent.offset + extent.length;
    if (end == hashes.size()) hashes.resize(end - blocks);
  }
  extent.length -= blocks;
  if (extent.length > 0) return;
  remove_free(index);
  drop(index);
}

// The others have its content from now on.
void KvCache::leave_twins(Index index, std::vector<BlockHash>* forgotten) {
  const auto lost = contents(extents_[index]);
  const Index twin = extents_[index].twin;
  if (!extents_[index].first) {
    Index before = by_hash_.find(lost.front());
    while (extents_[before].twin != index) before = extents_[before].twin;
    extents_[before].twin = twin;
  } else if (twin != kNone) {
    by_hash_.replace(lost.front(), twin);
    extents_[twin].first = true;
  } else {
    if (forgotten != nullptr) forgotten->insert(forgotten->end(), lost.rbegin(), lost.rend());
    by_hash_.erase(lost.front());
  }
}

// Whether blocks that its one holder adds can be treated as its own: they have no other, and it ends where its text does.
bool KvCache::may_grow(Index index) const {
  const Extent& extent = extents_[index];
  return extent.holders == 1 && extent.first && extent.twin == kNone &&
         extent.offset + extent.length == texts_[extent.text].hashes.size();
}

bool KvCache::in_order(std::span<const Holding* const> holdings) const {
  std::vector<std::uint32_t> holders(extents_.size());
  std::uint32_t blank = 0;
  for (const Holding* const holding : holdings) {
    blank += holding->blank;
    std::uint32_t published = 0;
    for (HeldPart part : holding->parts) {
      published += part.blocks;
      while (part.blocks > 0) {
        const Extent& extent = extents_[part.extent];
        if (extent.length == 0 || extent.length > part.blocks) return false;
        ++holders[part.extent];
        part = {.extent = extent.before, .blocks = part.blocks - extent.length};
      }
    }
    if (published != holding->published) return false;
  }

  std::uint32_t listed = 0;
  std::size_t listed_extents = 0;
  for (Index index = oldest_; index != kNone; index = extents_[index].newer) {
    if (extents_[index].holders > 0 || extents_[index].length == 0) return false;
    listed += extents_[index].length;
    ++listed_extents;
  }
  std::uint32_t held = 0;
  std::size_t free_extents = 0;
  std::size_t published = 0;
  for (Index index = 0; index < extents_.size(); ++index) {
    const Extent& extent = extents_[index];
    if (extent.holders != holders[index]) return false;
    if (extent.length == 0) continue;
    if (extent.holders > 0) {
      held += extent.length;
    } else {
      ++free_extents;
    }
    if (extent.text != kNone) ++published;
  }
  std::size_t findable = 0;
  bool true_to_name = true;
  by_hash_.for_each([&](BlockHash hash, Index first) {
    for (Index index = first; index != kNone; index = extents_[index].twin) {
      const Extent& extent = extents_[index];
      true_to_name = true_to_name && extent.first == (index == first) &&
                     extent.length == extents_[first].length && contents(extent).front() == hash &&
                     contents(extent).back() == contents(extents_[first]).back();
      ++findable;
    }
  });
  return true_to_name && listed == free_ && listed_extents == free_extents &&
         held + blank + free_ == total_ && findable == published;
}

}  // namespace turnpike::engine
