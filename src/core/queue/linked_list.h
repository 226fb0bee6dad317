#pragma once

#include <cassert>

namespace turnpike::core {

// A place in one doubly linked list. An element inherits one Link per list it can be in; `List` is a tag that names the list. A copy of
// an element is in no list, and assigning to one leaves it where it is.
template <typename T, typename List>
struct Link {
  Link() : next(self()) {}
  Link(const Link& /*other*/) : Link() {}
  // NOLINTNEXTLINE(bugprone-unhandled-self-assignment): nothing is taken over, from whomever
  Link& operator=(const Link& /*other*/) { return *this; }
  ~Link() = default;

  [[nodiscard]] bool linked() const { return next != static_cast<const T*>(this); }
  void leave() {
    previous = nullptr;
    next = self();
  }

  T* previous = nullptr;
  T* next;  // itself: in no list

 private:
  T* self() { return static_cast<T*>(this); }
};

// A list of elements it does not own. Adding and removing are O(1) and allocate nothing. An element must leave before it dies.
// T may be incomplete where the list is only held.
template <typename T, typename List>
class LinkedList {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  [[nodiscard]] T* first() const { return first_; }
  [[nodiscard]] T* last() const { return last_; }
  [[nodiscard]] static T* after(const T& element) { return link(element).next; }
  [[nodiscard]] static bool contains(const T& element) { return link(element).linked(); }

  void push_back(T& element) {
    Link<T, List>& own = link(element);
    assert(!own.linked());
    own.previous = last_;
    own.next = nullptr;
    (last_ == nullptr ? first_ : link(*last_).next) = &element;
    last_ = &element;
  }

  // Removes it if it is here.
  void remove(T& element) {
    Link<T, List>& own = link(element);
    if (!own.linked()) return;
    (own.previous == nullptr ? first_ : link(*own.previous).next) = own.next;
    (own.next == nullptr ? last_ : link(*own.next).previous) = own.previous;
    own.leave();
  }

 private:
  static Link<T, List>& link(T& element) { return element; }
  static const Link<T, List>& link(const T& element) { return element; }

  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace turnpike::core
