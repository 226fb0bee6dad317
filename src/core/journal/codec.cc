#include "core/journal/codec.h"

namespace turnpike::core::journal {

namespace {

template <typename Member>
constexpr bool always_written() {
  return std::is_same_v<Member, RequestId> || layout::kIsVector<Member>;
}

// Calls `visit(member, number)` for all members of both structs, pair by pair.
template <typename A, typename B, typename Visit>
void for_each_pair(A& a, B& b, Visit visit) {
  auto as = fields(a);
  auto bs = fields(b);
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (visit(std::get<I>(as), std::get<I>(bs), I), ...);
  }(std::make_index_sequence<kFieldCount<A>>{});
}

constexpr std::uint64_t bit(std::size_t number) {
  return std::uint64_t{1} << number;
}

}  // namespace

// A mask of the members that differ from the submission before, then those.
void Encoder::submission(const Submission& submission) {
  std::uint64_t changed = 0;
  for_each_pair(submission, context_.submission,
                [&](const auto& now, const auto& before, std::size_t number) {
                  using Member = std::remove_cvref_t<decltype(now)>;
                  if constexpr (!always_written<Member>()) {
                    if (now != before) changed |= bit(number);
                  }
                });
  varint(changed);
  for_each_pair(submission, context_.submission,
                [&](const auto& now, auto& before, std::size_t number) {
                  using Member = std::remove_cvref_t<decltype(now)>;
                  if constexpr (!always_written<Member>()) {
                    if ((changed & bit(number)) == 0) return;
                    put(now);
                    before = now;
                  } else if constexpr (std::is_same_v<Member, RequestId>) {
                    put(now);
                  } else {
                    static_assert(std::is_same_v<Member, std::vector<std::uint64_t>>);
                    const std::size_t shared = context_.blocks.shared(now);
                    varint(shared);
                    if (shared > 0) varint(BlockMemory::place(now[shared - 1]));
                    varint(now.size() - shared);
                    for (const std::uint64_t block : std::span(now).subspan(shared)) fixed(block);
                    context_.blocks.learn(now, shared);
                  }
                });
}

void Decoder::submission(Submission& submission) {
  const std::uint64_t changed = varint();
  if (changed >= bit(kFieldCount<Submission>)) return wrong("members that do not exist");
  for_each_pair(submission, context_.submission, [&](auto& now, auto& before, std::size_t number) {
    using Member = std::remove_cvref_t<decltype(now)>;
    if (!ok()) return;
    if constexpr (!always_written<Member>()) {
      if ((changed & bit(number)) != 0) get(before);
      now = before;
    } else {
      if ((changed & bit(number)) != 0) return wrong("a mask that says too much");
      if constexpr (std::is_same_v<Member, RequestId>) {
        get(now);
      } else {
        const std::uint64_t shared = varint();
        const std::uint64_t last = shared > 0 ? varint() : 0;
        const std::uint64_t added = varint();
        if (shared > BlockMemory::kPlaces || last >= BlockMemory::kPlaces ||
            (shared > 0 &&
             !context_.blocks.recall(static_cast<BlockMemory::Place>(last), shared, now))) {
          return wrong("blocks that were not written before");
        }
        if (added > left() / 8) return out_of_bytes();
        now.reserve(now.size() + added);
        for (std::uint64_t i = 0; i < added; ++i) now.push_back(fixed());
        if (ok()) context_.blocks.learn(now, shared);
      }
    }
  });
}

unsigned Decoder::byte() {
  if (!ok()) return 0;
  if (left() == 0) {
    out_of_bytes();
    return 0;
  }
  return static_cast<unsigned char>(bytes_[position_++]);
}

std::uint64_t Decoder::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint64_t next = byte();
    const std::uint64_t part = next & 0x7FU;
    if (shift == 63 && part > 1) break;
    value |= part << shift;
    if ((next & 0x80U) == 0) {
      if (next == 0 && shift > 0) break;  // longer than it had to be
      return ok() ? value : 0;
    }
  }
  wrong("a number that is too long");
  return 0;
}

std::uint64_t Decoder::fixed() {
  const std::string_view text = raw(8);
  std::uint64_t value = 0;
  if (text.size() == 8) std::memcpy(&value, text.data(), 8);
  return value;
}

std::string_view Decoder::raw(std::size_t size) {
  if (!ok()) return {};
  if (size > left()) {
    out_of_bytes();
    return {};
  }
  const std::string_view text = bytes_.substr(position_, size);
  position_ += size;
  return text;
}

bool Decoder::flag() {
  const unsigned value = byte();
  if (value > 1) wrong("neither yes nor no");
  return value == 1;
}

}  // namespace turnpike::core::journal
