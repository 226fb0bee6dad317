#include "core/prefix/prefix_holders.h"

#include <algorithm>
#include <cassert>

namespace turnpike::core {

void PrefixHolders::remove(std::uint64_t block, std::uint32_t endpoint) {
  const auto found = holders_.find(block);
  assert(found != holders_.end());
  Endpoints& these = found->second;
  const auto place = std::ranges::find(these, endpoint);
  assert(place != these.end());
  *place = these.back();
  these.pop_back();
  if (these.empty()) holders_.erase(found);
}

}  // namespace turnpike::core
