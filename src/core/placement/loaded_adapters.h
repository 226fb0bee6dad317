#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "base/ids.h"

namespace turnpike::core {

// Which adapters an endpoint probably has in memory: those that were used last, as many as it has places for. Learned at dispatch,
// so that a burst for one adapter does not scatter; gauges add what others had it load, and say how many places there are.
class LoadedAdapters {
 public:
  static constexpr std::size_t kMostPlaces = 64;

  void used(ModelId adapter) {
    std::erase(recent_, adapter);
    recent_.insert(recent_.begin(), adapter);
    forget_oldest();
  }
  // `running`: in use at the scrape. `places`: how many it holds at once; 0: it does not say.
  void observed(std::span<const ModelId> running, int places) {
    if (places > 0) places_ = std::min(static_cast<std::size_t>(places), kMostPlaces);
    for (const ModelId adapter : running) {
      if (!holds(adapter)) used(adapter);
    }
    forget_oldest();
  }
  // The engine has restarted.
  void clear() { recent_.clear(); }

  [[nodiscard]] bool holds(ModelId adapter) const {
    return std::ranges::find(recent_, adapter) != recent_.end();
  }
  [[nodiscard]] bool has_place() const { return recent_.size() < places_; }

 private:
  void forget_oldest() {
    if (recent_.size() > places_) recent_.resize(places_);
  }

  std::vector<ModelId> recent_;  // the last one first
  std::size_t places_ = 1;       // vLLM's default
};

}  // namespace turnpike::core
