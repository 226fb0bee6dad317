#include <algorithm>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/hash_chain.h"
#include "base/random.h"
#include "engine/kv_cache.h"
#include "engine/kv_cache_reference.h"

namespace turnpike::engine {
namespace {

using testing_support::KvCacheReference;

// The account by extents against the one by blocks, in random histories of sequences that have beginnings in common, grow side by
// side, and let go in any order.
class History {
 public:
  explicit History(std::uint64_t seed)
      : random_(seed),
        total_(static_cast<std::uint32_t>(8 + random_.below(120))),
        cache_(total_),
        reference_(total_) {}

  void run() {
    for (int i = 0; i < 600; ++i) {
      const std::uint64_t what = random_.below(8);
      if (what == 0 && sequences_.size() < 10) {
        begin();
      } else if (what == 1 && !sequences_.empty()) {
        end(random_.below(sequences_.size()));
      } else if (!sequences_.empty()) {
        grow(sequences_[random_.below(sequences_.size())]);
      }
      check();
    }
    while (!sequences_.empty()) end(0);
    check();
    RC_ASSERT(cache_.free() == total_);
  }

 private:
  struct Sequence {
    std::vector<BlockHash> chain;
    Holding held;
    std::vector<KvCacheReference::Block> blocks;
    std::size_t published = 0;
  };

  // Few texts and few places where they part: much is in common.
  std::vector<BlockHash> random_chain() {
    const std::size_t length = 1 + random_.below(40);
    const std::size_t parts_at = random_.below(5) * 6;
    const std::uint64_t text = random_.below(3);
    std::vector<BlockHash> chain;
    BlockHash hash = 0;
    for (std::size_t i = 0; i < length; ++i) {
      hash = chain_hash(hash, i < parts_at ? 100 : text);
      chain.push_back(hash);
    }
    return chain;
  }

  void begin() {
    Sequence sequence{.chain = random_chain(), .held = {}, .blocks = {}};
    auto findable = sequence.chain;
    findable.resize(random_.below(findable.size() + 1));
    std::vector<HeldPart> found;
    const KvCache::Match match = cache_.match(findable, found);
    const auto expected = reference_.match(findable);
    RC_ASSERT(match.blocks == expected.size());
    RC_ASSERT(match.from_free == reference_.without_holder(expected));
    RC_ASSERT(cache_.match_length(findable) == expected.size());
    cache_.hold(found, sequence.held);
    reference_.hold(expected);
    sequence.blocks = expected;
    sequence.published = expected.size();
    sequences_.push_back(std::move(sequence));
  }

  void grow(Sequence& s) {
    const auto blocks = static_cast<std::uint32_t>(random_.below(6));
    if (blocks > cache_.free()) return;
    std::vector<BlockHash> forgotten;
    std::vector<BlockHash> expected;
    cache_.take(blocks, s.held, &forgotten);
    for (std::uint32_t i = 0; i < blocks; ++i) s.blocks.push_back(reference_.take(expected));
    RC_ASSERT(forgotten == expected);
    const std::size_t most = std::min(s.blocks.size(), s.chain.size());
    const std::size_t full = s.published + random_.below(most - s.published + 1);
    if (full == s.published) return;
    cache_.publish(std::span(s.chain).first(full).subspan(s.published), s.held);
    for (; s.published < full; ++s.published) {
      reference_.publish(s.blocks[s.published], s.chain[s.published]);
    }
  }

  void end(std::size_t which) {
    cache_.release(sequences_[which].held);
    reference_.release(sequences_[which].blocks);
    sequences_.erase(sequences_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void check() {
    RC_ASSERT(cache_.free() == reference_.free());
    std::vector<const Holding*> holdings;
    for (const Sequence& sequence : sequences_) {
      RC_ASSERT(sequence.held.blocks() == sequence.blocks.size());
      RC_ASSERT(sequence.held.published == sequence.published);
      holdings.push_back(&sequence.held);
    }
    RC_ASSERT(cache_.in_order(holdings));
    const auto probe = random_chain();
    RC_ASSERT(cache_.match_length(probe) == reference_.match(probe).size());
  }

  Random random_;
  std::uint32_t total_;
  KvCache cache_;
  KvCacheReference reference_;
  std::vector<Sequence> sequences_;
};

TEST(KvCacheProperty, IsWhatOneBlockAfterTheOtherWouldBe) {
  EXPECT_TRUE(rc::check("random histories", [](std::uint64_t seed) { History(seed).run(); }));
}

}  // namespace
}  // namespace turnpike::engine
