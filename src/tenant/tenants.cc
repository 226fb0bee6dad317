#include "tenant/tenants.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/ascii.h"

namespace turnpike::tenant {

namespace {

constexpr std::string_view kHashed = "sha256:";

std::string sha256(std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() != std::size_t{2} * SHA256_DIGEST_LENGTH) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto byte = parse_unsigned<std::uint8_t>(text.substr(i, 2), 16);
    if (!byte) return std::nullopt;
    out.push_back(static_cast<char>(*byte));
  }
  return out;
}

// What came as `Authorization: Bearer`, or as x-api-key.
std::string_view credential_in(const http::RequestHead& head) {
  for (const http::Field& field : head.fields) {
    constexpr std::string_view kBearer = "bearer ";
    if (field.kind == http::FieldKind::authorization && field.value.size() > kBearer.size() &&
        equals_ignoring_case(field.value.substr(0, kBearer.size()), kBearer))
      return trim(field.value.substr(kBearer.size()));
  }
  const http::Field* const key = head.find("x-api-key");
  return key == nullptr ? std::string_view() : key->value;
}

}  // namespace

std::optional<PriorityClass> priority_class(std::string_view name) {
  if (name == "interactive") return PriorityClass::interactive;
  if (name == "default") return PriorityClass::standard;
  if (name == "batch") return PriorityClass::batch;
  return std::nullopt;
}

Expected<std::vector<std::pair<std::string, std::string>>> parse_key_file(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> keys;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t blank = line.find_first_of(" \t");
    const std::string_view key =
        blank == std::string_view::npos ? std::string_view() : trim(line.substr(blank));
    if (key.empty() || key.find_first_of(" \t") != std::string_view::npos)
      return fail(fmt::format("line {}: must be a tenant's name and his key", number));
    if (key.starts_with(kHashed) && !from_hex(key.substr(kHashed.size())))
      return fail(
          fmt::format("line {}: 'sha256:' must be followed by 64 hexadecimal digits", number));
    keys.emplace_back(key, line.substr(0, blank));
  }
  return keys;
}

Tenants::Tenants(TenantRules rules) : rules_(std::move(rules)) {
  for (const auto& [key, name] : rules_.keys) {
    const bool hashed = std::string_view(key).starts_with(kHashed);
    keys_.push_back(
        {hashed ? from_hex(std::string_view(key).substr(kHashed.size())).value_or("") : sha256(key),
         name});
  }
  std::ranges::sort(keys_, {}, &KnownKey::digest);
  for (const NamedTerms& one : rules_.named) named_.emplace(one.name, one.terms);
}

const Terms& Tenants::terms_of(std::string_view name) const {
  const auto found = named_.find(std::string(name));
  return found == named_.end() ? rules_.other : found->second;
}

// What is compared is digests, so where the search stops says nothing about a key; the last comparison takes the same time for all.
const std::string* Tenants::name_of_key(std::string_view key) const {
  const std::string digest = sha256(key);
  const auto found = std::ranges::lower_bound(keys_, digest, {}, &KnownKey::digest);
  const bool same = found != keys_.end() && found->digest.size() == digest.size() &&
                    CRYPTO_memcmp(found->digest.data(), digest.data(), digest.size()) == 0;
  return same ? &found->name : nullptr;
}

Caller Tenants::caller(const http::RequestHead& head, std::int64_t now) const {
  Caller caller;
  const std::string_view credential = credential_in(head);
  std::string why;
  if (!credential.empty() && rules_.authenticates()) {
    if (rules_.jwt && looks_like_jwt(credential)) {
      if (auto subject = rules_.jwt->subject(credential, rules_.jwt_rules, now)) {
        caller.name = *std::move(subject);
      } else {
        why = std::move(subject.error().message);
      }
    } else if (const std::string* const name = name_of_key(credential)) {
      caller.name = *name;
    }
  }
  caller.by_credentials = !caller.name.empty();
  if (caller.name.empty() && !rules_.header.empty()) {
    const http::Field* const named = head.find(rules_.header);
    if (named != nullptr) caller.name = named->value;
  }
  caller.verified = !caller.name.empty();
  caller.terms = &terms_of(caller.name);
  if (rules_.required && !caller.verified) {
    if (credential.empty()) {
      caller.refused =
          "This gateway wants an API key or a token, as 'Authorization: Bearer' or 'x-api-key'.";
    } else {
      caller.refused = why.empty() ? "The API key is not known here." : std::move(why);
    }
  }
  return caller;
}

}  // namespace turnpike::tenant
