#include "openai/splice.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace turnpike::openai {

void SplicedBody::add(Splice splice) {
  assert(count_ < kMax && splice.at + splice.removed <= body_.size());
  std::size_t i = count_++;
  for (; i > 0 && splices_[i - 1].at > splice.at; --i) splices_[i] = std::move(splices_[i - 1]);
  splices_[i] = std::move(splice);
}

std::size_t SplicedBody::size() const {
  std::size_t size = body_.size();
  for (std::size_t i = 0; i < count_; ++i)
    size = size - splices_[i].removed + splices_[i].inserted.size();
  return size;
}

std::span<const std::string_view> SplicedBody::pieces() {
  std::size_t used = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const Splice& splice = splices_[i];
    pieces_[used++] = body_.substr(at, splice.at - at);
    pieces_[used++] = splice.inserted;
    at = splice.at + splice.removed;
  }
  pieces_[used++] = body_.substr(at);
  return {pieces_.data(), used};
}

void SplicedBody::append_to(std::string& out) {
  out.reserve(out.size() + size());
  for (const std::string_view piece : pieces()) out.append(piece);
}

}  // namespace turnpike::openai
