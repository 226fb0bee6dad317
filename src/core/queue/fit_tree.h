#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "base/random.h"
#include "core/queue/rank.h"

namespace turnpike::core {

// Elements in order of rank, each with a size: finds the first one that is small enough, and the sum of the sizes before a rank,
// in O(log n). A treap whose shape depends on the ranks alone.
template <typename T>
class FitTree {
 public:
  void insert(const Rank& rank, std::int64_t size, T* element) {
    auto node = std::make_unique<Node>();
    node->rank = rank;
    node->size = node->least = node->sum = size;
    node->priority = mix64(rank.arrival.number);
    node->element = element;
    auto [before, after] = split(std::move(root_), rank);
    root_ = join(join(std::move(before), std::move(node)), std::move(after));
    if (count_++ == 0 || rank < first_rank_) first_rank_ = rank;
  }

  void erase(const Rank& rank) {
    if (!erase_in(root_, rank)) return;
    --count_;
    if (rank == first_rank_ && root_ != nullptr) first_rank_ = first_node()->rank;
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
      if (node->rank < rank) {
        sum += node->size + (node->left == nullptr ? 0 : node->left->sum);
        node = node->right.get();
      } else {
        node = node->left.get();
      }
    }
    return sum;
  }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }

 private:
  struct Node;
  using Link = std::unique_ptr<Node>;
  struct Node {
    Rank rank;
    std::int64_t size = 0;
    std::int64_t least = 0;  // of the subtree
    std::int64_t sum = 0;
    std::uint64_t priority = 0;
    T* element = nullptr;
    Link left;
    Link right;

    void update() {
      least = sum = size;
      for (const Node* child : {left.get(), right.get()}) {
        if (child == nullptr) continue;
        least = std::min(least, child->least);
        sum += child->sum;
      }
    }
  };

  [[nodiscard]] const Node* first_node() const {
    const Node* node = root_.get();
    while (node != nullptr && node->left != nullptr) node = node->left.get();
    return node;
  }

  static std::pair<Link, Link> split(Link node, const Rank& rank) {
    if (node == nullptr) return {};
    if (node->rank < rank) {
      auto [before, after] = split(std::move(node->right), rank);
      node->right = std::move(before);
      node->update();
      return {std::move(node), std::move(after)};
    }
    auto [before, after] = split(std::move(node->left), rank);
    node->left = std::move(after);
    node->update();
    return {std::move(before), std::move(node)};
  }

  static Link join(Link a, Link b) {
    if (a == nullptr) return b;
    if (b == nullptr) return a;
    if (a->priority > b->priority) {
      a->right = join(std::move(a->right), std::move(b));
      a->update();
      return a;
    }
    b->left = join(std::move(a), std::move(b->left));
    b->update();
    return b;
  }

  static bool erase_in(Link& node, const Rank& rank) {
    if (node == nullptr) return false;
    if (node->rank == rank) {
      node = join(std::move(node->left), std::move(node->right));
      return true;
    }
    const bool erased = erase_in(rank < node->rank ? node->left : node->right, rank);
    if (erased) node->update();
    return erased;
  }

  static T* fitting_in(const Node* node, std::int64_t most, const Rank* after) {
    if (node == nullptr || node->least > most) return nullptr;
    const bool counts = after == nullptr || *after < node->rank;
    if (counts) {
      if (T* earlier = fitting_in(node->left.get(), most, after)) return earlier;
      if (node->size <= most) return node->element;
    }
    return fitting_in(node->right.get(), most, counts ? nullptr : after);
  }

  Link root_;
  Rank first_rank_;
  std::size_t count_ = 0;
};

}  // namespace turnpike::core
