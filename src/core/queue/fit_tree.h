#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "core/queue/rank.h"

namespace turnpike::core {

// Elements in order of rank, each with a size: finds the first one that is small enough, and the sum of the sizes before a rank,
// in O(log n). A treap whose shape depends on the ranks alone. An element stays where it is while it is here, and so does the
// arrival of its rank, which is its member `arrival`: nodes are small because it does not stand in them again.
template <typename T>
class FitTree {
 public:
  void insert(const Rank& rank, std::int64_t size, T* element) {
    auto node = std::make_unique<Node>();
    node->tier = rank.tier;
    node->value = rank.value;
    node->least = node->sum = size;
    node->priority = static_cast<std::uint32_t>(mix64(rank.arrival.number));
    node->element = element;
    assert(rank.arrival == element->arrival);
    auto [before, after] = split(std::move(root_), rank);
    root_ = join(join(std::move(before), std::move(node)), std::move(after));
    if (count_++ == 0 || rank < first_rank_) first_rank_ = rank;
  }

  void erase(const Rank& rank) {
    if (!erase_in(root_, rank)) return;
    --count_;
    if (rank == first_rank_ && root_ != nullptr) first_rank_ = first_node()->rank();
  }

  [[nodiscard]] T* first() const {
    const Node* node = first_node();
    return node == nullptr ? nullptr : node->element;
  }
  // Its rank, O(1); the tree is not empty.
  [[nodiscard]] const Rank& first_rank() const { return first_rank_; }
  // The first whose size is at most `most`, after `after` if that is given.
  [[nodiscard]] T* first_fitting(std::int64_t most, const Rank* after = nullptr) const {
    return fitting_in(root_.get(), most, after);
  }
  // The size of the smallest.
  [[nodiscard]] std::int64_t least() const {
    return root_ == nullptr ? std::numeric_limits<std::int64_t>::max() : root_->least;
  }
  [[nodiscard]] std::int64_t sum_before(const Rank& rank) const {
    std::int64_t sum = 0;
    for (const Node* node = root_.get(); node != nullptr;) {
      if (node->precedes(rank)) {
        sum += node->sum - sum_of(node->right);
        node = node->right.get();
      } else {
        node = node->left.get();
      }
    }
    return sum;
  }
  // In order, until `visit` returns false.
  template <typename Visit>
  void visit_while(Visit visit) const {
    visit_in(root_.get(), visit);
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  struct Node;
  using Link = std::unique_ptr<Node>;
  struct Node {
    std::int32_t tier = 0;
    std::uint32_t priority = 0;
    std::int64_t value = 0;
    std::int64_t least = 0;  // of the subtree
    std::int64_t sum = 0;    // of the subtree; less those of the children it is its own size
    T* element = nullptr;
    Link left;
    Link right;

    [[nodiscard]] std::int64_t size() const { return sum - sum_of(left) - sum_of(right); }
    [[nodiscard]] Rank rank() const {
      return {.tier = tier, .value = value, .arrival = element->arrival};
    }
    [[nodiscard]] bool precedes(const Rank& other) const {
      if (tier != other.tier) return tier < other.tier;
      if (value != other.value) return value < other.value;
      return element->arrival < other.arrival;
    }
    // Its children have changed.
    void update(std::int64_t size) {
      least = sum = size;
      for (const Node* child : {left.get(), right.get()}) {
        if (child == nullptr) continue;
        least = std::min(least, child->least);
        sum += child->sum;
      }
    }
  };

  static std::int64_t sum_of(const Link& node) { return node == nullptr ? 0 : node->sum; }

  [[nodiscard]] const Node* first_node() const {
    const Node* node = root_.get();
    while (node != nullptr && node->left != nullptr) node = node->left.get();
    return node;
  }

  static std::pair<Link, Link> split(Link node, const Rank& rank) {
    if (node == nullptr) return {};
    const std::int64_t size = node->size();
    if (node->precedes(rank)) {
      auto [before, after] = split(std::move(node->right), rank);
      node->right = std::move(before);
      node->update(size);
      return {std::move(node), std::move(after)};
    }
    auto [before, after] = split(std::move(node->left), rank);
    node->left = std::move(after);
    node->update(size);
    return {std::move(before), std::move(node)};
  }

  static Link join(Link a, Link b) {
    if (a == nullptr) return b;
    if (b == nullptr) return a;
    if (a->priority > b->priority) {
      const std::int64_t size = a->size();
      a->right = join(std::move(a->right), std::move(b));
      a->update(size);
      return a;
    }
    const std::int64_t size = b->size();
    b->left = join(std::move(a), std::move(b->left));
    b->update(size);
    return b;
  }

  static bool erase_in(Link& node, const Rank& rank) {
    if (node == nullptr) return false;
    const bool before = node->precedes(rank);
    if (!before && node->rank() == rank) {
      node = join(std::move(node->left), std::move(node->right));
      return true;
    }
    const std::int64_t size = node->size();
    const bool erased = erase_in(before ? node->right : node->left, rank);
    if (erased) node->update(size);
    return erased;
  }

  static T* fitting_in(const Node* node, std::int64_t most, const Rank* after) {
    if (node == nullptr || node->least > most) return nullptr;
    const bool counts = after == nullptr || (!node->precedes(*after) && node->rank() != *after);
    if (counts) {
      if (T* earlier = fitting_in(node->left.get(), most, after)) return earlier;
      if (node->size() <= most) return node->element;
    }
    return fitting_in(node->right.get(), most, counts ? nullptr : after);
  }

  template <typename Visit>
  static bool visit_in(const Node* node, Visit& visit) {
    return node == nullptr || (visit_in(node->left.get(), visit) && visit(*node->element) &&
                               visit_in(node->right.get(), visit));
  }

  Link root_;
  Rank first_rank_;
  std::size_t count_ = 0;
};

}  // namespace turnpike::core
