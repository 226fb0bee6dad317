#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace turnpike {

// A number that names something. Ids of different tags do not mix, have no arithmetic, and hash as their value.
// The default value is `none()`: the id of nothing.
template <typename Tag, typename Rep>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}

  static constexpr StrongId none() { return StrongId(); }

  [[nodiscard]] constexpr Rep value() const { return value_; }
  [[nodiscard]] constexpr bool is_none() const { return value_ == kNone; }
  constexpr explicit operator bool() const { return !is_none(); }

  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename H>
  friend H AbslHashValue(H state, StrongId id) {
    return H::combine(std::move(state), id.value_);
  }

 private:
  static constexpr Rep kNone = std::numeric_limits<Rep>::max();
  Rep value_ = kNone;
};

// A count of something (tokens, bytes). Counts of different tags do not mix; they add, subtract and compare.
// Signed, so that differences and overdrawn accounts are representable.
template <typename Tag>
class StrongCount {
 public:
  constexpr StrongCount() = default;
  constexpr explicit StrongCount(std::int64_t value) : value_(value) {}

  [[nodiscard]] constexpr std::int64_t value() const { return value_; }
  [[nodiscard]] constexpr double as_double() const { return static_cast<double>(value_); }

  friend constexpr auto operator<=>(StrongCount, StrongCount) = default;
  friend constexpr StrongCount operator+(StrongCount a, StrongCount b) {
    return StrongCount(a.value_ + b.value_);
  }
  friend constexpr StrongCount operator-(StrongCount a, StrongCount b) {
    return StrongCount(a.value_ - b.value_);
  }
  constexpr StrongCount operator-() const { return StrongCount(-value_); }
  constexpr StrongCount& operator+=(StrongCount other) {
    value_ += other.value_;
    return *this;
  }
  constexpr StrongCount& operator-=(StrongCount other) {
    value_ -= other.value_;
    return *this;
  }
  friend constexpr StrongCount operator*(StrongCount a, std::int64_t factor) {
    return StrongCount(a.value_ * factor);
  }

  template <typename H>
  friend H AbslHashValue(H state, StrongCount count) {
    return H::combine(std::move(state), count.value_);
  }

 private:
  std::int64_t value_ = 0;
};

}  // namespace turnpike

template <typename Tag, typename Rep>
struct std::hash<turnpike::StrongId<Tag, Rep>> {
  std::size_t operator()(turnpike::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
