#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/journal/block_memory.h"
#include "core/journal/event.h"
#include "core/journal/layout.h"

// How values stand in a journal. Numbers are LEB128 varints, signed ones folded (0, -1, 1, -2 ...); times are differences to the
// record's time; ids that are drawn as hashes, and hashes, are 8 bytes; a request's id is the difference to the one before. Of a
// submission only what differs from the submission before is written, and of its blocks only those that have not been written
// lately. Every struct is written member by member, whatever members it has (see base/fields.h).
namespace turnpike::core::journal {

inline constexpr char kMark = '?';  // begins a segment; no kind of event has this number
inline constexpr std::string_view kMagic = "?TPJ";
// Of the rules above; what the structs look like is counted in.
inline constexpr std::uint32_t kFormat = layout::of<JournalEvent>(1);

// The first byte of a record: the kind of event, and what is as in the record before.
inline constexpr unsigned kKindMask = 0x3F;
inline constexpr unsigned kSamePool = 0x40;
inline constexpr unsigned kSameTime = 0x80;
static_assert(std::variant_size_v<JournalEvent> < static_cast<unsigned>(kMark));

// What both sides remember of the records before.
struct Context {
  TimePoint now{};
  std::uint32_t pool = 0;
  std::uint64_t request = 0;
  Submission submission;  // without its blocks
  BlockMemory blocks;

  void reset() {
    now = {};
    pool = 0;
    request = 0;
    submission = {};
    blocks.clear();
  }
};

constexpr std::uint64_t fold(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unfold(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1));
}
// Differences wrap around, so that no value is out of range.
constexpr std::uint64_t difference(std::int64_t to, std::int64_t from) {
  return fold(
      static_cast<std::int64_t>(static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from)));
}
constexpr std::int64_t sum(std::int64_t from, std::uint64_t difference) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from) +
                                   static_cast<std::uint64_t>(unfold(difference)));
}
// The highest byte of a request's id says who made it, the others count: neighbours differ little after a turn.
constexpr std::uint64_t turned(std::uint64_t id) {
  return std::rotl(id, 8);
}
constexpr std::uint64_t turned_back(std::uint64_t id) {
  return std::rotr(id, 8);
}

template <typename T>
inline constexpr bool kIsHash = std::is_same_v<T, std::uint64_t> || std::is_same_v<T, SessionKey> ||
                                std::is_same_v<T, TenantKey>;

class Encoder {
 public:
  Encoder(std::string& out, Context& context) : out_(out), context_(context) {}

  void byte(unsigned value) { out_.push_back(static_cast<char>(value)); }
  void varint(std::uint64_t value) {
    std::array<char, 10> text{};
    std::size_t size = 0;
    while (value >= 0x80) {
      text[size++] = static_cast<char>(value | 0x80U);
      value >>= 7U;
    }
    text[size++] = static_cast<char>(value);
    out_.append(text.data(), size);
  }
  void fixed(std::uint64_t value) {
    static_assert(std::endian::native == std::endian::little);
    std::array<char, 8> text{};
    std::memcpy(text.data(), &value, 8);
    out_.append(text.data(), 8);
  }

  template <typename T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      byte(value ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
      byte(static_cast<unsigned>(value));
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      fixed(value);
    } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
      varint(fold(value));
    } else if constexpr (std::is_integral_v<T>) {
      varint(value);
    } else if constexpr (std::is_same_v<T, double>) {
      varint(std::byteswap(std::bit_cast<std::uint64_t>(value)));  // round numbers end in zeros
    } else if constexpr (std::is_same_v<T, Duration>) {
      varint(fold(value.count()));
    } else if constexpr (std::is_same_v<T, TimePoint>) {
      varint(difference(value.time_since_epoch().count(), context_.now.time_since_epoch().count()));
    } else if constexpr (std::is_same_v<T, std::string>) {
      varint(value.size());
      out_ += value;
    } else if constexpr (layout::kIsCount<T>) {
      varint(fold(value.value()));
    } else if constexpr (std::is_same_v<T, RequestId>) {
      const std::uint64_t id = turned(value.value());
      varint(fold(static_cast<std::int64_t>(id - context_.request)));
      context_.request = id;
    } else if constexpr (kIsHash<T>) {
      fixed(value.value());
    } else if constexpr (layout::kIsId<T>) {
      varint(static_cast<typename T::rep>(value.value() + 1));  // none, which is the largest: 0
    } else if constexpr (layout::kIsOptional<T>) {
      byte(value ? 1 : 0);
      if (value) put(*value);
    } else if constexpr (layout::kIsVector<T>) {
      varint(value.size());
      for (const auto& element : value) put(element);
    } else if constexpr (std::is_same_v<T, Submission>) {
      submission(value);
    } else if constexpr (kFieldCount<T> > 0) {
      std::apply([this](const auto&... members) { (this->put(members), ...); }, fields(value));
    }
  }

 private:
  void submission(const Submission& submission);

  std::string& out_;
  Context& context_;
};

// Takes values out of bytes that may be anything. After the first thing that is wrong, all values are empty and `error` says what.
class Decoder {
 public:
  Decoder(std::string_view bytes, Context& context) : bytes_(bytes), context_(context) {}

  [[nodiscard]] bool ok() const { return error_ == nullptr; }
  [[nodiscard]] const char* error() const { return error_; }
  // The bytes ended where more had to come.
  [[nodiscard]] bool ran_out() const { return ran_out_; }
  [[nodiscard]] std::size_t position() const { return position_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - position_; }

  void wrong(const char* what) {
    if (error_ == nullptr) error_ = what;
  }
  unsigned byte();
  std::uint64_t varint();
  std::uint64_t fixed();
  std::string_view raw(std::size_t size);

  template <typename T>
  void get(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = flag();
    } else if constexpr (std::is_enum_v<T>) {
      const unsigned number = byte();
      if (number >= layout::enumerators<T>()) return wrong("a choice that does not exist");
      value = static_cast<T>(number);
    } else if constexpr (std::is_same_v<T, std::uint64_t>) {
      value = fixed();
    } else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>) {
      in_range(unfold(varint()), value);
    } else if constexpr (std::is_integral_v<T>) {
      in_range(varint(), value);
    } else if constexpr (std::is_same_v<T, double>) {
      value = std::bit_cast<double>(std::byteswap(varint()));
      if (!(value == value)) wrong("not a number");
    } else if constexpr (std::is_same_v<T, Duration>) {
      value = Duration(unfold(varint()));
    } else if constexpr (std::is_same_v<T, TimePoint>) {
      value = TimePoint(Duration(sum(context_.now.time_since_epoch().count(), varint())));
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = raw(varint());
    } else if constexpr (layout::kIsCount<T>) {
      value = T(unfold(varint()));
    } else if constexpr (std::is_same_v<T, RequestId>) {
      context_.request += static_cast<std::uint64_t>(unfold(varint()));
      value = RequestId(turned_back(context_.request));
    } else if constexpr (kIsHash<T>) {
      value = T(fixed());
    } else if constexpr (layout::kIsId<T>) {
      typename T::rep number = 0;
      in_range(varint(), number);
      value = T(static_cast<typename T::rep>(number - 1));
    } else if constexpr (layout::kIsOptional<T>) {
      value.reset();
      if (flag()) get(value.emplace());
    } else if constexpr (layout::kIsVector<T>) {
      const std::uint64_t count = varint();
      if (count > left()) return out_of_bytes();  // an element takes a byte at least
      value.clear();
      value.reserve(count);
      for (std::uint64_t i = 0; i < count && ok(); ++i) get(value.emplace_back());
    } else if constexpr (std::is_same_v<T, Submission>) {
      submission(value);
    } else if constexpr (kFieldCount<T> > 0) {
      std::apply([this](auto&... members) { (this->get(members), ...); }, fields(value));
    }
  }

 private:
  void out_of_bytes() {
    ran_out_ = ok();
    wrong("the bytes end within a record");
  }
  bool flag();
  template <typename Wide, typename T>
  void in_range(Wide wide, T& value) {
    if (!std::in_range<T>(wide)) return wrong("a number out of range");
    value = static_cast<T>(wide);
  }
  void submission(Submission& submission);

  std::string_view bytes_;
  Context& context_;
  std::size_t position_ = 0;
  const char* error_ = nullptr;
  bool ran_out_ = false;
};

}  // namespace turnpike::core::journal
