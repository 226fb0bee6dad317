#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace turnpike::core::journal {

// The blocks of prompts that were written lately, each with the one before it, so that a prompt which begins like an earlier one can
// name the last block they share instead of repeating all. Direct-mapped and of fixed size: a block may be overwritten by another
// with the same place, and is then written again. Writer and reader hold equal ones, because both learn the same prompts.
class BlockMemory {
 public:
  using Place = std::uint32_t;
  static constexpr std::size_t kPlaces = std::size_t{1} << 15U;

  // How many of the prompt's first blocks are here in one unbroken chain.
  [[nodiscard]] std::size_t shared(std::span<const std::uint64_t> blocks) const {
    if (!known_) return 0;
    std::uint64_t before = kStart;
    std::size_t count = 0;
    for (; count < blocks.size(); ++count) {
      const Entry& entry = (*known_)[place(blocks[count])];
      if (!entry.used || entry.block != blocks[count] || entry.before != before) break;
      before = blocks[count];
    }
    return count;
  }
  // Puts in what follows the first `shared` ones.
  void learn(std::span<const std::uint64_t> blocks, std::size_t shared) {
    if (shared == blocks.size()) return;
    if (!known_) known_ = std::make_unique<Table>();
    std::uint64_t before = shared == 0 ? kStart : blocks[shared - 1];
    for (const std::uint64_t block : blocks.subspan(shared)) {
      (*known_)[place(block)] = {.block = block, .before = before, .used = true};
      before = block;
    }
  }
  // The chain of `count` blocks that ends with the one at `last`, which becomes the prompt's beginning. False if there is none.
  [[nodiscard]] bool recall(Place last, std::size_t count,
                            std::vector<std::uint64_t>& blocks) const {
    if (!known_ || last >= kPlaces || count > kPlaces) return false;
    blocks.resize(count);
    for (std::size_t i = count; i > 0; --i) {
      const Entry& entry = (*known_)[last];
      if (!entry.used || (i < count && entry.block != blocks[i - 1])) return false;
      blocks[i - 1] = entry.block;
      if (i == 1) return entry.before == kStart;
      blocks[i - 2] = entry.before;
      last = place(entry.before);
    }
    return true;
  }
  void clear() { known_.reset(); }

  static constexpr Place place(std::uint64_t block) {
    return static_cast<Place>((block * 0x9e3779b97f4a7c15ULL) >> 49U);
  }

 private:
  static constexpr std::uint64_t kStart = 0;  // "before" the first block
  struct Entry {
    std::uint64_t block = 0;
    std::uint64_t before = 0;
    bool used = false;
  };
  using Table = std::array<Entry, kPlaces>;
  static_assert(kPlaces == std::size_t{1} << (64U - 49U));

  std::unique_ptr<Table> known_;
};

}  // namespace turnpike::core::journal
