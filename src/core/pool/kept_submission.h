#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/ids.h"
#include "base/units.h"
#include "core/pool/events.h"
#include "core/pool/remembered_arrivals.h"

namespace turnpike::core {

// Hashes of a prompt's blocks, never changed. As large as a pointer.
class BlockHashes {
 public:
  BlockHashes() = default;
  explicit BlockHashes(std::span<const std::uint64_t> blocks) {
    if (blocks.empty()) return;
    // Their number stands before them.
    words_ = std::make_unique_for_overwrite<std::uint64_t[]>(blocks.size() + 1);
    words_[0] = blocks.size();
    std::ranges::copy(blocks, words_.get() + 1);
  }

  [[nodiscard]] std::size_t size() const { return words_ == nullptr ? 0 : words_[0]; }
  [[nodiscard]] bool empty() const { return words_ == nullptr; }
  [[nodiscard]] const std::uint64_t* begin() const {
    return words_ == nullptr ? nullptr : words_.get() + 1;
  }
  [[nodiscard]] const std::uint64_t* end() const { return begin() + size(); }
  [[nodiscard]] std::uint64_t operator[](std::size_t i) const { return words_[i + 1]; }
  [[nodiscard]] std::uint64_t back() const { return words_[words_[0]]; }

 private:
  std::unique_ptr<std::uint64_t[]> words_;
};

// What is kept of a Submission while its request lives. A queue may hold a million: no room is wasted, and what matters only on
// arrival, or stands in the session, is left out.
struct KeptSubmission {
  KeptSubmission() = default;
  explicit KeptSubmission(const Submission& s)
      : id(s.id),
        tenant(s.tenant),
        prompt_tokens(s.prompt_tokens),
        body_bytes(s.body_bytes),
        identity(RememberedArrivals::identity_of(s)),
        owner(s.parent    ? s.parent.value()
              : s.session ? s.session.value()
                          : s.id.value()),
        tenant_weight(s.tenant_weight),
        wanted_by(s.deadline.value_or(TimePoint::max())),
        blocks(s.blocks),
        model(s.model),
        priority(s.priority) {}

  RequestId id;
  TenantKey tenant;
  TokenCount prompt_tokens;
  ByteCount body_bytes;
  std::uint64_t identity = 0;  // see RememberedArrivals
  std::uint64_t owner = 0;     // whose prompt it is, for telling shared prefixes
  double tenant_weight = 1.0;
  TimePoint wanted_by = TimePoint::max();  // see deadline()
  BlockHashes blocks;
  ModelId model;
  int priority = 0;

  [[nodiscard]] std::optional<TimePoint> deadline() const {
    return wanted_by == TimePoint::max() ? std::nullopt : std::optional(wanted_by);
  }
};

}  // namespace turnpike::core
