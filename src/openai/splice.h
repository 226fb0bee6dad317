#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace turnpike::openai {

// A change to raw bytes: `removed` bytes at `at` give way to `inserted`. Everything else stays as it was, byte for byte.
struct Splice {
  std::size_t at = 0;
  std::size_t removed = 0;
  std::string inserted;

  friend bool operator==(const Splice&, const Splice&) = default;
};

// A body and up to kMax changes to it, as pieces for a gathering write. The body must outlive it. Splices do not overlap.
class SplicedBody {
 public:
  static constexpr std::size_t kMax = 4;

  explicit SplicedBody(std::string_view body) : body_(body) {}
  // In any order. `splice` lies within the body.
  void add(Splice splice);

  [[nodiscard]] std::size_t size() const;
  // The pieces in order, at most 2 x kMax + 1; views into the body and into this object.
  std::span<const std::string_view> pieces();
  void append_to(std::string& out);

 private:
  std::string_view body_;
  std::array<Splice, kMax> splices_;
  std::size_t count_ = 0;
  std::array<std::string_view, 2 * kMax + 1> pieces_;
};

}  // namespace turnpike::openai
