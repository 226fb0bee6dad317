#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/fields.h"
#include "base/strong.h"
#include "base/units.h"

// What the types of a journal look like, worked out by the compiler: how many values an enumeration has, and one number that changes
// whenever a struct gains, loses or retypes a member. A journal says by that number how it was written, so that one of another
// build is refused instead of misread.
namespace turnpike::core::layout {

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
inline constexpr bool kIsVector = false;
template <typename T>
inline constexpr bool kIsVector<std::vector<T>> = true;
template <typename T>
inline constexpr bool kIsVariant = false;
template <typename... T>
inline constexpr bool kIsVariant<std::variant<T...>> = true;
template <typename T>
inline constexpr bool kIsId = false;
template <typename Tag, typename Rep>
inline constexpr bool kIsId<StrongId<Tag, Rep>> = true;
template <typename T>
inline constexpr bool kIsCount = false;
template <typename Tag>
inline constexpr bool kIsCount<StrongCount<Tag>> = true;

template <typename E, E value>
constexpr bool is_named() {
  // "... [E = x, value = x::name]" for an enumerator, "... value = (x)7]" for any other number.
  const std::string_view text = __PRETTY_FUNCTION__;
  return text[text.rfind("value = ") + 8] != '(';
}

// How many values an enumeration has that counts from 0 without a gap.
template <typename E, std::size_t N = 0>
constexpr std::size_t enumerators() {
  if constexpr (N < 64 && is_named<E, static_cast<E>(N)>()) {
    return enumerators<E, N + 1>();
  } else {
    return N;
  }
}

constexpr std::uint32_t mix(std::uint32_t hash, std::uint32_t word) {
  return (hash ^ word) * 0x01000193U;
}

template <typename T>
constexpr std::uint32_t of(std::uint32_t hash);

template <typename Tuple, std::size_t... I>
constexpr std::uint32_t of_all(std::uint32_t hash, std::index_sequence<I...> /*members*/) {
  ((hash = of<std::remove_cvref_t<std::tuple_element_t<I, Tuple>>>(hash)), ...);
  return hash;
}

template <typename... T>
constexpr std::uint32_t of_alternatives(std::uint32_t hash, const std::variant<T...>* /*type*/) {
  ((hash = of<T>(hash)), ...);
  return hash;
}

template <typename T>
constexpr std::uint32_t of(std::uint32_t hash) {
  if constexpr (std::is_same_v<T, bool>) {
    return mix(hash, 1);
  } else if constexpr (std::is_integral_v<T>) {
    return mix(hash, 16U + sizeof(T) + (std::is_signed_v<T> ? 8U : 0U));
  } else if constexpr (std::is_enum_v<T>) {
    return mix(hash, 64U + static_cast<std::uint32_t>(enumerators<T>()));
  } else if constexpr (std::is_same_v<T, double>) {
    return mix(hash, 2);
  } else if constexpr (std::is_same_v<T, Duration>) {
    return mix(hash, 3);
  } else if constexpr (std::is_same_v<T, TimePoint>) {
    return mix(hash, 4);
  } else if constexpr (std::is_same_v<T, std::string>) {
    return mix(hash, 5);
  } else if constexpr (kIsCount<T>) {
    return mix(hash, 6);
  } else if constexpr (kIsId<T>) {
    return mix(hash, 48U + sizeof(T));
  } else if constexpr (kIsOptional<T>) {
    return of<typename T::value_type>(mix(hash, 7));
  } else if constexpr (kIsVector<T>) {
    return of<typename T::value_type>(mix(hash, 8));
  } else if constexpr (kIsVariant<T>) {
    return of_alternatives(mix(hash, 9), static_cast<const T*>(nullptr));
  } else {
    using Members = decltype(fields(std::declval<T&>()));
    constexpr std::size_t kCount = std::tuple_size_v<Members>;
    return of_all<Members>(mix(hash, 128U + static_cast<std::uint32_t>(kCount)),
                           std::make_index_sequence<kCount>{});
  }
}

}  // namespace turnpike::core::layout
