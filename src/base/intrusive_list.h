#pragma once

#include <cassert>
#include <cstddef>

namespace turnpike {

// A node of an IntrusiveList: derive from it. A node unlinks itself when it dies, so a list never holds a dangling element.
// `Tag` tells several lists of one object apart.
template <typename Tag = void>
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { unlink(); }

  [[nodiscard]] bool linked() const { return next_ != nullptr; }
  void unlink() {
    if (!linked()) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  template <typename T, typename>
  friend class IntrusiveList;

  ListNode* next_ = nullptr;
  ListNode* previous_ = nullptr;
};

// A doubly linked list that owns nothing and allocates nothing; every operation is O(1). One thread.
template <typename T, typename Tag = void>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() { head_.next_ = head_.previous_ = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;
  ~IntrusiveList() {
    while (!empty()) pop_front();
    head_.next_ = head_.previous_ = nullptr;
  }

  [[nodiscard]] bool empty() const { return head_.next_ == &head_; }
  [[nodiscard]] T& front() { return element(head_.next_); }
  [[nodiscard]] T& back() { return element(head_.previous_); }

  void push_back(T& element) { insert_before(head_, element); }
  void push_front(T& element) { insert_before(*head_.next_, element); }
  T& pop_front() {
    assert(!empty());
    T& first = front();
    static_cast<Node&>(first).unlink();
    return first;
  }
  // Moves all elements of `other` to the end of this list.
  void splice_back(IntrusiveList& other) {
    if (other.empty()) return;
    Node* const first = other.head_.next_;
    Node* const last = other.head_.previous_;
    other.head_.next_ = other.head_.previous_ = &other.head_;
    first->previous_ = head_.previous_;
    head_.previous_->next_ = first;
    last->next_ = &head_;
    head_.previous_ = last;
  }
  template <typename F>
  void for_each(F&& visit) {  // `visit` may unlink the element it is given, no other
    for (Node* node = head_.next_; node != &head_;) {
      Node* const next = node->next_;
      visit(element(node));
      node = next;
    }
  }

 private:
  static T& element(Node* node) { return static_cast<T&>(*node); }
  static void insert_before(Node& position, T& inserted) {
    Node& node = inserted;
    assert(!node.linked());
    node.previous_ = position.previous_;
    node.next_ = &position;
    position.previous_->next_ = &node;
    position.previous_ = &node;
  }

  Node head_;
};

}  // namespace turnpike
