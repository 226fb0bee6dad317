#pragma once

#include <cstdint>

namespace turnpike::core {

struct Endpoint;

// Where a request waits under the policy `resident-set`.
enum class ResidentLine : std::uint8_t { none, resident, bound, free };

// What the policy `resident-set` keeps of a request while it waits. Its rank in a line is by virtual deadline, which is its
// `order_value`.
struct ResidentPart {
  static constexpr std::int64_t kMostNeed = (std::int64_t{1} << 28) - 1;

  Endpoint* endpoint = nullptr;  // whose line it is
  std::int32_t tier = 0;         // of its rank
  std::uint32_t need : 28 = 0;   // least tokens it takes anywhere, at most kMostNeed
  ResidentLine line : 2 = ResidentLine::none;
  bool by_real_deadline : 1 = false;
  bool fresh : 1 = false;  // came into the free line since it was last found that nobody can go
};

// The same while it runs.
struct ResidentStay {
  bool counted = false;    // in the account of the endpoint it runs on
  double taken = 0;        // own tokens there, with reserve
  double taken_whole = 0;  // all its tokens, with reserve
  double above = -1;       // see CacheEvidence; negative: nothing can be learned
  double put = 0;
};

}  // namespace turnpike::core
