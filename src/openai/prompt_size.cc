#include "openai/prompt_size.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/hash_chain.h"

namespace turnpike::openai {

namespace {

constexpr std::size_t kStride = 4096;  // between looks for base64
constexpr std::size_t kProbe = 64;     // so many base64 characters in a row are no text
constexpr std::size_t kWholeHash = std::size_t{64} * 1024;
constexpr double kTokensPerMedium = 1000.0;

constexpr std::array<bool, 256> base64_table() {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  // The slash may be escaped in JSON, hence the backslash; both alphabets.
  for (const char c : std::string_view("+/=-_\\")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kBase64 = base64_table();

bool is_base64(char c) {
  return kBase64[static_cast<unsigned char>(c)];
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

PromptSize measure_text(std::string_view raw) {
  PromptSize size;
  std::size_t media_bytes = 0;
  for (std::size_t at = kStride; at + kProbe <= raw.size(); at += kStride) {
    const std::string_view probe = raw.substr(at, kProbe);
    if (!std::ranges::all_of(probe, is_base64)) continue;
    std::size_t begin = at;
    while (begin > 0 && is_base64(raw[begin - 1])) --begin;
    std::size_t end = at + kProbe;
    while (end < raw.size() && is_base64(raw[end])) ++end;
    ++size.media;
    media_bytes += end - begin;
    at += (end - at) / kStride * kStride;
  }
  size.text_bytes = raw.size() - media_bytes;
  return size;
}

std::uint64_t count_token_ids(std::string_view raw) {
  std::uint64_t count = 0;
  bool in_number = false;
  for (const char c : raw) {
    const bool digit = is_digit(c);
    if (digit && !in_number) ++count;
    in_number = digit;
    if (!digit && c != '[' && c != ']' && c != ',' && !is_blank(c)) return 0;
  }
  return count;
}

std::uint64_t hash_prompt(std::string_view raw, std::uint64_t seed) {
  if (raw.size() <= kWholeHash) return hash_bytes(raw, seed);
  const std::uint64_t ends = chain_hash(hash_bytes(raw.substr(0, kWholeHash / 2), seed),
                                        hash_bytes(raw.substr(raw.size() - kWholeHash / 2), seed));
  return chain_hash(ends, raw.size());
}

TokenCount PromptSize::estimate(double bytes_per_token) const {
  const double tokens = static_cast<double>(text_bytes) / bytes_per_token +
                        static_cast<double>(media) * kTokensPerMedium +
                        static_cast<double>(token_ids);
  return TokenCount(static_cast<std::int64_t>(tokens));
}

std::vector<std::uint64_t> hash_blocks(std::string_view raw, std::uint64_t seed) {
  std::vector<std::uint64_t> blocks;
  blocks.reserve(std::min(raw.size() / kBlockBytes, kMaxBlocks));
  std::uint64_t chain = seed;
  while (raw.size() >= kBlockBytes && blocks.size() < kMaxBlocks) {
    chain = chain_hash(chain, hash_bytes(raw.substr(0, kBlockBytes)));
    blocks.push_back(chain);
    raw.remove_prefix(kBlockBytes);
  }
  return blocks;
}

}  // namespace turnpike::openai
